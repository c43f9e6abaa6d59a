#!/bin/sh
# websocat, whose messages jq makes rows of.
#
#     sh bench/peers/websocat_jq.sh URL OUT ROWS
set -eu
echo symbol,price,volume >"$2"
# Without --no-close it would close at once: its own input is at its end.
websocat --text --no-close --unidirectional-reverse --buffer-size 1048576 "$1" |
    jq --raw-output '[.symbol, .price, .volume] | @csv' |
    head -n "$3" >>"$2"
