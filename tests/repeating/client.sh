#!/bin/sh
# Requests URL with TOKEN, TIMES times by one curl, and prints how many answers came: client.sh URL TOKEN TIMES
# [OPTIONS]
url=$1 token=$2 times=$3
shift 3
config=$(for _ in $(seq "$times"); do printf 'url = "%s"\noutput = /dev/null\n' "$url"; done)
printf '%s\n' "$config" |
  curl --silent --config - --header "Authorization: $token" --write-out '%{http_code}\n' "$@" | grep -c 200
