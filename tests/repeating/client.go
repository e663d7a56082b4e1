// Requests URL with TOKEN, TIMES times in sequence, and prints how many answers came:
// client URL TOKEN TIMES [no-keep-alive]
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
)

func main() {
	times, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: len(os.Args) > 4}}
	answers := 0
	for i := 0; i < times; i++ {
		request, err := http.NewRequest("GET", os.Args[1], nil)
		if err != nil {
			panic(err)
		}
		request.Header.Set("Authorization", os.Args[2])
		answer, err := client.Do(request)
		if err != nil {
			continue
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		answers++
	}
	fmt.Println(answers)
}
