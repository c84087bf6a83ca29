#!/bin/bash
# Builds a Consul agent (1.10.12, MPL 2.0) from Go modules, outside the repository, and prints its path: minutes once, a
# moment from then on. `CONSUL=PATH` has tests ask it instead of a stand-in.
set -euo pipefail
directory="${DNSPOLICY_CONSUL_BIN:-${XDG_CACHE_HOME:-$HOME/.cache}/dnspolicy-consul}"
program="$directory/consul"
if [ ! -x "$program" ]; then
  mkdir -p "$directory"
  cd "$(dirname "$0")/go"
  nice -n 19 go build -mod=readonly -p 1 -trimpath -ldflags '-s -w' -o "$program.new" github.com/hashicorp/consul >&2
  mv "$program.new" "$program"
fi
echo "$program"
