// Asks a counter what gRPC's rules demand of a server, by gRPC's own library for Go. One line for each check.
//
//	client rules ADDRESS            all but the end
//	client end ADDRESS PID FILE     ends the counter, which is process PID, while calls run; FILE tells what they got
//	client ended ADDRESS FILE       the same counts, served again: are they what FILE allows?
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/golang/protobuf/proto"
	"github.com/golang/protobuf/ptypes/empty"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"

	"manager_rpc"
)

const (
	patience      = 30 * time.Second
	publicService = "manager_rpc.CounterService"
	updateCounter = "/" + publicService + "/UpdateCounter"
	notCounted    = "nothing was counted"
)

// One channel, which has a connection of its own.
type client struct {
	channel *grpc.ClientConn
	counter manager_rpc.CounterServiceClient
	health  grpc_health_v1.HealthClient
	seen    *seen
}

func connect(address string, options ...grpc.DialOption) *client {
	seen := &seen{}
	dial := func(ctx context.Context, to string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
		if err != nil {
			return nil, err
		}
		return watch(conn, seen), nil
	}
	options = append(options, grpc.WithInsecure(), grpc.WithNoProxy(), grpc.WithContextDialer(dial))
	channel, err := grpc.Dial("passthrough:///"+address, options...)
	if err != nil {
		panic(err)
	}
	return &client{channel, manager_rpc.NewCounterServiceClient(channel), grpc_health_v1.NewHealthClient(channel), seen}
}

func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

func (client *client) mint() string {
	ctx, cancel := soon()
	defer cancel()
	answer, err := client.counter.NewToken(ctx, &empty.Empty{})
	expectOk(err)
	return answer.Token
}

// How a call ended.
type outcome struct {
	code    codes.Code
	message string
	answer  *manager_rpc.UpdateCounterResponse
}

func (client *client) update(ctx context.Context, token, path string, options ...grpc.CallOption) outcome {
	request := &manager_rpc.UpdateCounterRequest{Token: token, Path: path}
	answer, err := client.counter.UpdateCounter(ctx, request, options...)
	return outcome{status.Code(err), status.Convert(err).Message(), answer}
}

func (client *client) updateSoon(token, path string, options ...grpc.CallOption) outcome {
	ctx, cancel := soon()
	defer cancel()
	return client.update(ctx, token, path, options...)
}

func (client *client) count(token, path string, options ...grpc.CallOption) int64 {
	outcome := client.updateSoon(token, path, options...)
	expect(outcome.code == codes.OK, "%v: %s", outcome.code, outcome.message)
	expect(outcome.answer.Success, "the token is unknown")
	return outcome.answer.Counter
}

// Of bytes, whatever they mean.
func (client *client) call(method string, bytes []byte) error {
	ctx, cancel := soon()
	defer cancel()
	var answer []byte
	return client.channel.Invoke(ctx, method, &bytes, &answer, grpc.ForceCodec(bytesCodec{}))
}

type bytesCodec struct{}

func (bytesCodec) Marshal(bytes interface{}) ([]byte, error) { return *bytes.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, bytes interface{}) error {
	*bytes.(*[]byte) = data
	return nil
}
func (bytesCodec) Name() string { return "proto" }

var _ encoding.Codec = bytesCodec{}

// What a check panics with.
type unexpected string

func expect(holds bool, otherwise string, values ...interface{}) {
	if !holds {
		panic(unexpected(fmt.Sprintf(otherwise, values...)))
	}
}

func expectEqual(is, shouldBe interface{}, what string) {
	expect(reflect.DeepEqual(is, shouldBe), "%s: %v, not %v", what, is, shouldBe)
}

func expectOk(err error) {
	expect(err == nil, "%v", err)
}

func expectCode(shouldBe codes.Code, what string, err error) {
	expect(status.Code(err) == shouldBe, "%s: %v, not %v", what, err, shouldBe)
}

func waitUntil(state func() bool, what string) {
	for deadline := time.Now().Add(2 * patience); !state(); time.Sleep(5 * time.Millisecond) {
		expect(time.Now().Before(deadline), "in time not: %s", what)
	}
}

func (outcome outcome) isPerhapsCounted() bool {
	return outcome.code != codes.OK && !strings.HasSuffix(outcome.message, notCounted)
}

// How many got OK, and how many more were perhaps counted.
func numbers(outcomes []outcome) (ok, perhaps int64) {
	for _, outcome := range outcomes {
		if outcome.code == codes.OK {
			ok++
		} else if outcome.isPerhapsCounted() {
			perhaps++
		}
	}
	return ok, perhaps
}

func expectBetween(counted int64, ok, perhaps int64) string {
	told := fmt.Sprintf("counted %d, with %d OK and %d perhaps", counted, ok, perhaps)
	expect(ok <= counted && counted <= ok+perhaps, "%s", told)
	return told
}

func expectOnly(outcomes []outcome, allowed ...codes.Code) string {
	numbers := map[codes.Code]int{}
	for _, outcome := range outcomes {
		numbers[outcome.code]++
		good := false
		for _, code := range allowed {
			good = good || code == outcome.code
		}
		expect(good, "%v: %s", outcome.code, outcome.message)
	}
	var told []string
	for code, number := range numbers {
		told = append(told, fmt.Sprintf("%d %v", number, code))
	}
	sort.Strings(told)
	return strings.Join(told, ", ")
}

// Each count from 1 to `n`.
func expectEachOnce(counts []int64, n int64, what string) {
	left := map[int64]bool{}
	for i := int64(1); i <= n; i++ {
		left[i] = true
	}
	var besides []int64
	for _, count := range counts {
		if !left[count] {
			besides = append(besides, count)
		}
		delete(left, count)
	}
	var missing []int64
	for count := range left {
		missing = append(missing, count)
	}
	expect(len(missing)+len(besides) == 0, "%s: missing %v, and besides %v", what, missing, besides)
}

// Makes `n` calls, `inFlight` at a time. A check that fails in one of them fails here.
func together(n, inFlight int, call func(i int)) {
	var next int64 = -1
	var failed atomic.Value
	var callers sync.WaitGroup
	for c := 0; c < inFlight; c++ {
		callers.Add(1)
		go func() {
			defer callers.Done()
			defer func() {
				if why := recover(); why != nil {
					failed.Store(fmt.Sprint(why))
				}
			}()
			for i := int(atomic.AddInt64(&next, 1)); i < n; i = int(atomic.AddInt64(&next, 1)) {
				call(i)
			}
		}()
	}
	callers.Wait()
	why := failed.Load()
	expect(why == nil, "%v", why)
}

// The checks. Each may return what is worth telling.

func tokensAreRandomUuids(client *client) string {
	form := regexp.MustCompile("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
	tokens := map[string]bool{}
	for i := 0; i < 100; i++ {
		token := client.mint()
		expect(form.MatchString(token), "%s", token)
		tokens[token] = true
	}
	expectEqual(len(tokens), 100, "tokens")
	return ""
}

func countsAreExact(client *client) string {
	token := client.mint()
	paths := []string{"/a", "/b", "/c", "/ü"}
	counts := make([]int64, 1000)
	together(1000, 64, func(i int) { counts[i] = client.count(token, paths[i%4]) })
	var sum int64
	of := make([][]int64, 4)
	for i, count := range counts {
		sum += count
		of[i%4] = append(of[i%4], count)
	}
	expectEqual(sum, int64(4*250*251/2), "the sum")
	for i, path := range paths {
		expectEachOnce(of[i], 250, path)
	}
	return ""
}

func unknownTokensAreNotCounted(client *client) string {
	token := client.mint()
	fresh := "00000000-0000-4000-8000-000000000000"
	for _, other := range []string{"", "nonsense", fresh, token[1:], token + " ", strings.Repeat("ü", 36)} {
		outcome := client.updateSoon(other, "/p")
		expect(outcome.code == codes.OK && !outcome.answer.Success && outcome.answer.Counter == 0, "%q: %v", other, outcome)
	}
	expectEqual(client.count(token, "/p"), int64(1), "the count")
	return ""
}

func badRequestsAreInvalidArguments(client *client) string {
	token := client.mint()
	empty := client.updateSoon(token, "")
	expectEqual(empty, outcome{codes.InvalidArgument, "path cannot be empty", nil}, "an empty path")
	long := "/" + strings.Repeat("a", 8192)
	expectEqual(client.updateSoon(token, long).code, codes.InvalidArgument, "a long path")
	bytes, err := proto.Marshal(&manager_rpc.UpdateCounterRequest{Token: token, Path: "/abc"})
	expectOk(err)
	copy(bytes[len(bytes)-3:], "\xff\xfe\xfd")
	expectCode(codes.InvalidArgument, "no UTF-8", client.call(updateCounter, bytes))
	expectCode(codes.InvalidArgument, "no message", client.call(updateCounter, []byte{0xff, 0xff, 0xff}))
	expectEqual(client.count(token, long[1:]), int64(1), "the longest path")
	return ""
}

func compressedRequestsAreTaken(client *client) string {
	token, path := client.mint(), "/"+strings.Repeat("a", 8000)
	for i := int64(1); i <= 40; i++ {
		var options []grpc.CallOption
		if i <= 20 {
			options = append(options, grpc.UseCompressor(gzip.Name))
		}
		before := atomic.LoadInt64(&client.seen.sentBytes)
		expectEqual(client.count(token, path, options...), i, "the count")
		sent := atomic.LoadInt64(&client.seen.sentBytes) - before
		expect((sent > 8000) == (i > 20), "call %d sent %d bytes", i, sent)
	}
	return ""
}

func longMessagesAreResourceExhausted(client *client) string {
	token := client.mint()
	for _, size := range []int{66_000, 200_000, 1_000_000} {
		for i := 0; i < 10; i++ {
			outcome := client.updateSoon(strings.Repeat("a", size), "/p")
			expect(outcome.code == codes.ResourceExhausted, "a message of %d bytes: %v", size, outcome)
		}
	}
	packed := client.updateSoon(strings.Repeat("a", 1_000_000), "/p", grpc.UseCompressor(gzip.Name))
	expect(packed.code == codes.ResourceExhausted, "packed: %v", packed)
	expectEqual(client.count(token, "/p"), int64(1), "the count")
	return ""
}

func aThousandCallsAtOnce(client *client) string {
	token := client.mint()
	counts := make([]int64, 1000)
	together(1000, 1000, func(i int) { counts[i] = client.count(token, "/p") })
	expectEachOnce(counts, 1000, "the counts")
	return ""
}

// Asks for the health, and answers it.
func (client *client) watch(ctx context.Context, service string) grpc_health_v1.HealthCheckResponse_ServingStatus {
	watch, err := client.health.Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
	expectOk(err)
	answer, err := watch.Recv()
	expectOk(err)
	return answer.Status
}

func aThousandCallsAreOpenAndCancelled(client *client) string {
	token := client.mint()
	ctx, cancel := soon()
	defer cancel()
	together(999, 999, func(i int) {
		expectEqual(client.watch(ctx, ""), grpc_health_v1.HealthCheckResponse_SERVING, "a watcher's answer")
	})
	expectEqual(client.count(token, "/p"), int64(1), "the count beside 999 watchers")
	cancel()
	expectEqual(client.count(token, "/p"), int64(2), "the count after them")
	return ""
}

func callsAreCancelledUnderWay(client *client) string {
	token := client.mint()
	outcomes := make([]outcome, 500)
	ctx, cancel := soon()
	defer cancel()
	together(500, 500, func(i int) {
		outcomes[i] = client.update(ctx, token, "/p")
		if i == 0 {
			cancel()
		}
	})
	told := expectOnly(outcomes, codes.OK, codes.Canceled)
	ok, perhaps := numbers(outcomes)
	expectBetween(client.count(token, "/p")-1, ok, perhaps)
	return told
}

func deadlinesThatAreNearlyOver(client *client) string {
	token := client.mint()
	timeouts := []time.Duration{1, 100, 500, 1000, 2000, 5000, 20000} // us
	outcomes := make([]outcome, 350)
	together(350, 7, func(i int) {
		ctx, cancel := context.WithTimeout(context.Background(), timeouts[i%7]*time.Microsecond)
		defer cancel()
		outcomes[i] = client.update(ctx, token, "/p")
	})
	told := expectOnly(outcomes, codes.OK, codes.DeadlineExceeded, codes.Unavailable)
	for _, outcome := range outcomes {
		expect(outcome.code != codes.Unavailable || !outcome.isPerhapsCounted(), "%v", outcome)
	}
	ok, perhaps := numbers(outcomes)
	expectBetween(client.count(token, "/p")-1, ok, perhaps)
	return told
}

func metadataIsPassedOver(client *client) string {
	token := client.mint()
	every := string(make([]byte, 16)) + "\x01\x7f\x80\xff"
	for i := int64(1); i <= 20; i++ {
		ctx, cancel := soon()
		ctx = metadata.AppendToOutgoingContext(ctx, "x-trace", "abc", "x-trace", "def", "x-bytes-bin", every,
			"x-long", strings.Repeat("x", 8000))
		outcome := client.update(ctx, token, "/p")
		cancel()
		expect(outcome.code == codes.OK && outcome.answer.Counter == i, "%v", outcome)
	}
	return ""
}

func longMetadataIsRefused(client *client) string {
	token := client.mint()
	for _, size := range []int{17_000, 64 * 1024} {
		for i := 0; i < 5; i++ {
			ctx, cancel := soon()
			ctx = metadata.AppendToOutgoingContext(ctx, "x-long", strings.Repeat("x", size))
			outcome := client.update(ctx, token, "/p")
			cancel()
			// The library knows what the server takes, and sends no more.
			byLibrary := outcome.code == codes.Internal && strings.Contains(outcome.message, "(16384 bytes) set by server")
			expect(byLibrary || outcome.code == codes.ResourceExhausted, "metadata of %d bytes: %v", size, outcome)
		}
	}
	expectEqual(client.count(token, "/p"), int64(1), "the count")
	return ""
}

func whatDoesNotExistIsUnimplemented(client *client) string {
	bytes, err := proto.Marshal(&manager_rpc.UpdateCounterRequest{Token: client.mint(), Path: "/p"})
	expectOk(err)
	methods := []string{"/" + publicService + "/Nonsense", "/nonsense.Service/NewToken", "/tracker.v1.Counting/Mint"}
	for _, method := range methods {
		expectCode(codes.Unimplemented, method, client.call(method, bytes))
	}
	return ""
}

func healthTellsWhatIsServed(client *client) string {
	ctx, cancel := soon()
	defer cancel()
	for _, service := range []string{"", publicService} {
		answer, err := client.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
		expectOk(err)
		expectEqual(answer.Status, grpc_health_v1.HealthCheckResponse_SERVING, "Check")
		expectEqual(client.watch(ctx, service), grpc_health_v1.HealthCheckResponse_SERVING, "Watch")
	}
	_, err := client.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "nonsense"})
	expectCode(codes.NotFound, "Check", err)
	expectEqual(client.watch(ctx, "nonsense"), grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN, "Watch")
	return ""
}

func reflectionListsWhatIsPublic(client *client) string {
	type request = grpc_reflection_v1alpha.ServerReflectionRequest
	type listing = grpc_reflection_v1alpha.ServerReflectionRequest_ListServices
	type finding = grpc_reflection_v1alpha.ServerReflectionRequest_FileContainingSymbol
	ctx, cancel := soon()
	defer cancel()
	for _, version := range []string{"v1", "v1alpha"} {
		// Both have the same messages.
		stream, err := client.channel.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
			"/grpc.reflection."+version+".ServerReflection/ServerReflectionInfo")
		expectOk(err)
		ask := func(question *request) *grpc_reflection_v1alpha.ServerReflectionResponse {
			expectOk(stream.SendMsg(question))
			answer := &grpc_reflection_v1alpha.ServerReflectionResponse{}
			expectOk(stream.RecvMsg(answer))
			return answer
		}
		symbol := func(name string) *request {
			return &request{MessageRequest: &finding{FileContainingSymbol: name}}
		}
		listed := ask(&request{MessageRequest: &listing{ListServices: "*"}})
		found := false
		for _, service := range listed.GetListServicesResponse().GetService() {
			found = found || service.Name == publicService
			expect(!strings.HasPrefix(service.Name, "tracker"), "%s lists %s", version, service.Name)
		}
		expect(found, "%s does not list it", version)
		files := ask(symbol(publicService)).GetFileDescriptorResponse().GetFileDescriptorProto()
		described := false
		for _, file := range files {
			described = described || strings.Contains(string(file), "manager_rpc")
		}
		expect(described, "%s does not describe it", version)
		hidden := ask(symbol("tracker.v1.Counting")).GetErrorResponse().GetErrorCode()
		expectEqual(hidden, int32(codes.NotFound), version+" of tracker.v1")
		expectOk(stream.CloseSend())
		expect(stream.RecvMsg(&grpc_reflection_v1alpha.ServerReflectionResponse{}).Error() == "EOF", "it goes on")
	}
	return ""
}

func (client *client) expectPings(number int64) {
	waitUntil(func() bool { return atomic.LoadInt64(&client.seen.pingsAnswered) >= number },
		fmt.Sprintf("%d pings are answered", number))
}

func keepaliveWithACall(client *client) string {
	token := client.mint()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	watch, err := client.health.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	expectOk(err)
	_, err = watch.Recv()
	expectOk(err)
	ended := make(chan error, 1)
	go func() {
		_, err := watch.Recv()
		ended <- err
	}()
	client.expectPings(3)
	select {
	case err := <-ended:
		expect(false, "the call has ended: %v", err)
	default:
	}
	expectEqual(client.count(token, "/p"), int64(1), "the count")
	return ""
}

func keepaliveWithoutCalls(client *client) string {
	client.expectPings(3)
	expectEqual(client.count(client.mint(), "/p"), int64(1), "the count")
	return ""
}

type rule struct {
	what  string
	check func(*client) string
}

const withoutCalls = "keepalive pings without calls since the beginning"

var rules = []rule{
	{"NewToken: random UUIDs", tokensAreRandomUuids},
	{"UpdateCounter: 1,000 calls, 64 in flight, 4 paths: each count once", countsAreExact},
	{"unknown tokens: OK, success=false, not counted", unknownTokensAreNotCounted},
	{"empty, long and malformed paths: INVALID_ARGUMENT", badRequestsAreInvalidArguments},
	{"gzip is counted, and identity after it", compressedRequestsAreTaken},
	{"messages over 64 KiB: RESOURCE_EXHAUSTED", longMessagesAreResourceExhausted},
	{"1,000 UpdateCounter at once: each count once", aThousandCallsAtOnce},
	{"1,000 calls open at once, and cancelled", aThousandCallsAreOpenAndCancelled},
	{"500 UpdateCounter cancelled under way", callsAreCancelledUnderWay},
	{"deadlines of 1 us to 20 ms: counted or an error, no hang", deadlinesThatAreNearlyOver},
	{"ordinary metadata is passed over", metadataIsPassedOver},
	{"metadata of 17,000 bytes and 64 KiB is refused", longMetadataIsRefused},
	{"unknown methods and services: UNIMPLEMENTED", whatDoesNotExistIsUnimplemented},
	{"health: Check and Watch", healthTellsWhatIsServed},
	{"reflection, v1 and v1alpha: CounterService, not tracker.v1", reflectionListsWhatIsPublic},
	{"keepalive pings while a call is open", keepaliveWithACall},
	{withoutCalls, keepaliveWithoutCalls},
}

// Prints a line, and answers whether it is good.
func judge(what string, check func() string) (good bool) {
	defer func() {
		if why := recover(); why != nil {
			line := fmt.Sprint(why)
			if len(line) > 500 {
				line = line[:500]
			}
			fmt.Printf("FAILED %s: %s\n", what, line)
			good = false
		}
	}()
	told := check()
	if told != "" {
		told = " (" + told + ")"
	}
	fmt.Printf("ok %s%s\n", what, told)
	return true
}

// The library pings once in 10 s, however short this is.
var pinging = grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Second, PermitWithoutStream: true})

func keepRules(address string) bool {
	idle := connect(address, pinging)
	idle.mint()
	allGood := true
	for _, rule := range rules {
		good := judge(rule.what, func() string {
			client := idle
			if rule.what != withoutCalls {
				client = connect(address, pinging)
			}
			defer client.channel.Close()
			told := rule.check(client)
			connections, goaways := atomic.LoadInt64(&client.seen.connections), atomic.LoadInt64(&client.seen.goaways)
			expectEqual([]int64{connections, goaways}, []int64{1, 0}, "connections and GOAWAYs")
			return told
		})
		allGood = allGood && good
	}
	return allGood
}

func end(address string, pid int, file string) bool {
	return judge("SIGTERM while 64 calls run: each is OK or UNAVAILABLE", func() string {
		client := connect(address)
		token := client.mint()
		var lock sync.Mutex
		var outcomes []outcome
		together(64, 64, func(int) {
			for code := codes.OK; code == codes.OK; {
				one := client.updateSoon(token, "/end")
				code = one.code
				lock.Lock()
				outcomes = append(outcomes, one)
				if len(outcomes) == 500 {
					expectOk(syscall.Kill(pid, syscall.SIGTERM))
				}
				lock.Unlock()
			}
		})
		told := expectOnly(outcomes, codes.OK, codes.Unavailable)
		different := map[int64]bool{}
		for _, outcome := range outcomes {
			if outcome.code == codes.OK {
				different[outcome.answer.Counter] = true
			}
		}
		ok, perhaps := numbers(outcomes)
		expectEqual(int64(len(different)), ok, "different counts")
		expectOk(os.WriteFile(file, []byte(fmt.Sprintf("%s %d %d\n", token, ok, perhaps)), 0o600))
		return told
	})
}

func ended(address, file string) bool {
	return judge("the count after SIGTERM is that of the answers", func() string {
		text, err := os.ReadFile(file)
		expectOk(err)
		var token string
		var ok, perhaps int64
		_, err = fmt.Sscan(string(text), &token, &ok, &perhaps)
		expectOk(err)
		return expectBetween(connect(address).count(token, "/end")-1, ok, perhaps)
	})
}

func main() {
	arguments := os.Args[1:]
	is := func(mode string, number int) bool { return len(arguments) == number && arguments[0] == mode }
	good := false
	if is("rules", 2) {
		fmt.Printf("%s, grpc-go %s\n", runtime.Version(), grpc.Version)
		good = keepRules(arguments[1])
	} else if is("end", 4) {
		pid, err := strconv.Atoi(arguments[2])
		good = err == nil && end(arguments[1], pid, arguments[3])
	} else if is("ended", 3) {
		good = ended(arguments[1], arguments[2])
	} else {
		fmt.Fprintln(os.Stderr, "usage: client rules ADDRESS | end ADDRESS PID FILE | ended ADDRESS FILE")
	}
	if !good {
		os.Exit(1)
	}
}
