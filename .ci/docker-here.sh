#!/bin/bash
# A real Docker engine + docker-compose on a machine with no container registry
# and no systemd. Idempotent. Needs root, Debian 12, and ENVOY_BIN=path of an Envoy binary.
# Fresh machine to a running engine with its images: about a minute.
#
# Traps: an image that is not built here cannot be pulled (no `# syntax=` line either); a RUN step has no
# network, so install on the host and COPY; published ports are in the engine's own network
# namespace (use `net`, or run the client as a compose service); `trap 'docker-here.sh down' EXIT` in CI.
#
#   docker-here.sh            = install + engine + images   (what CI needs)
#   docker-here.sh net CMD... = run CMD where the published ports are (the engine's own net namespace)
#   docker-here.sh down       = stop the engine and everything in it
#   docker-here.sh wipe       = down, and remove images and the base tar too
#   eval "$(docker-here.sh env)"  puts DOCKER_HOST, PATH etc. in this shell
#
# The engine runs in its own PID, mount and network namespaces:
#   net   only lo and docker's bridges: no container can reach anything outside, the
#         machine's own firewall and ip_forward stay as they were
#   pid   killing the one `unshare` process kills every container
#   mount overlay mounts and netns files vanish with it
set -euo pipefail
W=${W:-${XDG_CACHE_HOME:-$HOME/.cache}/docker-here}
mkdir -p "$W"
ENVOY_BIN=${ENVOY_BIN:-$(command -v envoy || true)}   # the binary that becomes the Envoy image
ENVOY_TAG=${ENVOY_TAG:-envoyproxy/envoy:v1.40.0}
NODE_TAG=${NODE_TAG:-node:20-bookworm-slim}
BASE_TAG=${BASE_TAG:-debian:bookworm-slim}
SUITE=${SUITE:-bookworm}
# where apt itself gets this suite from
MIRROR=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 2>/dev/null | awk -v s="$SUITE" '$2 == s {print $1; exit}')}
NICE="nice -n ${NICENESS:-19}"
BIP=${BIP:-172.17.0.1/16}                  # addresses inside the engine's net namespace only
export DOCKER_HOST=unix://$W/docker.sock DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1
export PATH=$W/bin:$PATH                   # $W/bin/docker = Debian's 20.10 client (has BuildKit built in)

say() { printf '%s [%4ss] %s\n' docker-here.sh "$SECONDS" "$*" >&2; }
have_image() { docker image inspect "$1" >/dev/null 2>&1; }
alive() { timeout 5 docker version >/dev/null 2>&1; }
enginepid() {                              # host pid of PID 1 (tini) of the engine's namespace
  local u; u=$(cat "$W/unshare.pid" 2>/dev/null) || return 1
  [ "$(cat "/proc/$u/comm" 2>/dev/null)" = unshare ] || return 1
  local c; c=$(cat "/proc/$u/task/$u/children") || return 1
  [ -n "$c" ] && echo "${c%% *}"
}

install_pkgs() {
  mkdir -p "$W/bin"
  local need=()
  [ -x /usr/sbin/dockerd ]           || need+=(docker.io iptables)
  [ -x /usr/bin/docker-compose ]     || need+=(docker-compose)
  [ -x /usr/bin/mmdebstrap ]         || need+=(mmdebstrap)
  command -v ip >/dev/null           || need+=(iproute2)
  if [ ${#need[@]} -gt 0 ]; then
    # the machine's policy-rc.d (exit 101) and RUNLEVEL=1 keep the package from starting a dockerd of its own
    $NICE apt-get update -qq -o DPkg::Lock::Timeout=120
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive $NICE apt-get install -y -qq --no-install-recommends \
      -o DPkg::Lock::Timeout=120 "${need[@]}" >"$W/apt.log" 2>&1 || { tail -20 "$W/apt.log" >&2; return 1; }
    say "installed ${need[*]}"
  fi
  ln -sf /usr/bin/docker "$W/bin/docker"
}

write_files() {
  mkdir -p "$W/img/envoy" "$W/img/node"
  # answers NXDOMAIN to every name that is no service: else docker's 127.0.0.11 leaves
  # unknown names unanswered and each one hangs its resolver for 20 s
  cat >"$W/nxdns.py" <<'E'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 15, 1)      # IP_FREEBIND: docker0 is not there yet
s.bind((sys.argv[1], 53))
while True:
    q, a = s.recvfrom(4096)
    if len(q) < 12 or q[2] & 0x80: continue
    i = 12                                  # end of the one question
    while i < len(q) and q[i]: i += q[i] + 1
    s.sendto(q[:2] + bytes([0x80 | (q[2] & 1) | (q[2] & 0x78), 0x83]) + b'\0\1\0\0\0\0\0\0' + q[12:i + 5], a)
E
  cat >"$W/inner.sh" <<'E'
#!/bin/bash
# PID 1's child inside the engine's namespaces: $1 = W, $2 = bip
W=$1 BIP=$2
ip link set lo up
mkdir -p /run/containerd && mount -t tmpfs tmpfs /run/containerd   # shim sockets: this engine's only
rm -f "$W/docker.pid" "$W/docker.sock"
python3 "$W/nxdns.py" "${BIP%/*}" &
exec dockerd --data-root "$W/data" --exec-root "$W/run" --pidfile "$W/docker.pid" \
  -H "unix://$W/docker.sock" --storage-driver "${STORAGE:-overlay2}" --bip "$BIP" --dns "${BIP%/*}"
E
  cat >"$W/img/envoy/docker-entrypoint.sh" <<'E'
#!/bin/sh
set -e
# as upstream's: "-c x" means "envoy -c x"; anything else runs as given
if [ "${1#-}" != "$1" ]; then set -- envoy "$@"; fi
exec "$@"
E
  cat >"$W/img/envoy/envoy.yaml" <<'E'
admin: {address: {socket_address: {address: 0.0.0.0, port_value: 9901}}}
E
  cat >"$W/img/envoy/Dockerfile" <<E
FROM $BASE_TAG
COPY --chmod=755 envoy /usr/local/bin/envoy
COPY --chmod=755 docker-entrypoint.sh /docker-entrypoint.sh
COPY envoy.yaml /etc/envoy/envoy.yaml
EXPOSE 10000
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["envoy", "-c", "/etc/envoy/envoy.yaml"]
E
  cat >"$W/img/node/docker-entrypoint.sh" <<'E'
#!/bin/sh
set -e
if [ "${1#-}" != "$1" ] || [ -z "$(command -v "$1")" ] || { [ -f "$1" ] && ! [ -x "$1" ]; }; then set -- node "$@"; fi
exec "$@"
E
  cat >"$W/img/node/Dockerfile" <<E
FROM $BASE_TAG
RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
COPY node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s node /usr/local/bin/nodejs \\
 && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \\
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
COPY --chmod=755 docker-entrypoint.sh /usr/local/bin/
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["node"]
E
}

engine() {
  alive && return
  # a moved or killed engine leaves only files behind
  local p; if p=$(enginepid); then stop_engine; fi
  mkdir -p "$W/data" "$W/run"
  chmod +x "$W/inner.sh"
  setsid unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc \
    $NICE tini -g -- "$W/inner.sh" "$W" "$BIP" >"$W/dockerd.log" 2>&1 </dev/null &
  echo $! >"$W/unshare.pid"
  for _ in $(seq 100); do alive && { say "engine up: $(docker info -f '{{.ServerVersion}} {{.Driver}} cgroup v{{.CgroupVersion}} {{.CgroupDriver}}')"; return; }
    kill -0 "$(cat "$W/unshare.pid")" 2>/dev/null || break; sleep 0.2; done
  tail -20 "$W/dockerd.log" >&2; say "engine did not start"; return 1
}

stop_engine() {
  local p u; p=$(enginepid) || { rm -f "$W/unshare.pid"; return 0; }
  u=$(cat "$W/unshare.pid")
  kill -TERM "$p" 2>/dev/null || true      # tini passes it on; dockerd stops its containers
  for _ in $(seq 75); do kill -0 "$u" 2>/dev/null || break; sleep 0.2; done
  kill -KILL "$u" 2>/dev/null || true      # --kill-child: the whole PID namespace goes
  rm -f "$W/unshare.pid" "$W/docker.sock" "$W/docker.pid"
  # empty cgroups that dockerd leaves behind
  for d in /sys/fs/cgroup/*/docker; do [ -d "$d" ] && find "$d" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
}

base() {
  have_image "$BASE_TAG" && return
  if [ ! -f "$W/base.tar" ]; then
    $NICE mmdebstrap --quiet --format=tar --variant=minbase --include=ca-certificates,libstdc++6 \
      --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
      --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
      --dpkgopt='path-include=/usr/share/doc/*/copyright' \
      "$SUITE" "$W/base.tar.part" "$MIRROR" >"$W/mm.log" 2>&1 </dev/null || { tail -20 "$W/mm.log" >&2; return 1; }
    mv "$W/base.tar.part" "$W/base.tar"
    say "base tar: $(du -sh "$W/base.tar" | cut -f1)"
  fi
  $NICE docker import -c 'CMD ["bash"]' "$W/base.tar" "$BASE_TAG" >/dev/null
  say "imported $BASE_TAG"
}

images() {
  base
  if ! have_image "$ENVOY_TAG"; then
    ln -f "$ENVOY_BIN" "$W/img/envoy/envoy" 2>/dev/null || cp -f "$ENVOY_BIN" "$W/img/envoy/envoy"
    $NICE docker build -q -t "$ENVOY_TAG" "$W/img/envoy" >/dev/null
    say "built $ENVOY_TAG"
  fi
  if ! have_image "$NODE_TAG"; then
    local node npm; node=$(readlink -f "$(command -v node)"); npm=$(readlink -f "$(command -v npm)"); npm=${npm%/bin/npm-cli.js}
    ln -f "$node" "$W/img/node/node" 2>/dev/null || cp -f "$node" "$W/img/node/node"
    rm -rf "$W/img/node/npm"; cp -r "$npm" "$W/img/node/npm"
    $NICE docker build -q -t "$NODE_TAG" "$W/img/node" >/dev/null
    say "built $NODE_TAG"
  fi
}

up() { install_pkgs; write_files; engine; images; }
net() { nsenter --target "$(enginepid)" --net -- "$@"; }

case ${1:-up} in
  up) up; say ready; docker images >&2 ;;
  net) shift; net "$@" ;;
  env) echo "export DOCKER_HOST=$DOCKER_HOST DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1 PATH=$W/bin:\$PATH" ;;
  down) stop_engine; say stopped ;;
  wipe) stop_engine; rm -rf "$W/data" "$W/run" "$W/base.tar"; say wiped ;;
  *) sed -n 2,18p "$0"; exit 2 ;;
esac
