#!/usr/bin/env bash
# A real kube-apiserver and etcd on loopback, for the suites that DNSPOLICY_TEST_KUBECONFIG lets run.
#   api.sh build         builds both from their Go modules, where they are missing: some minutes, Go 1.26
#   api.sh up FOLDER     starts them with their state in FOLDER, and prints the path of a kubeconfig
#   api.sh down FOLDER   stops them
# DNSPOLICY_KUBERNETES_BIN is where the programs are; by default below ~/.cache.
set -euo pipefail
VERSION=1.36.3
BIN=${DNSPOLICY_KUBERNETES_BIN:-${XDG_CACHE_HOME:-$HOME/.cache}/dnspolicy-kubernetes/bin}
SOURCES=$(cd "$(dirname "$0")/go" && pwd)

build() {
  local program package=k8s.io/component-base/version
  mkdir -p "$BIN"
  for program in kube-apiserver etcd; do
    [ ! -x "$BIN/$program" ] || continue
    echo "building $program $VERSION" >&2
    (cd "$SOURCES" && CGO_ENABLED=0 nice -n 10 go build -mod=readonly -trimpath \
      -ldflags "-s -w -X $package.gitVersion=v$VERSION -X $package.gitMajor=1 -X $package.gitMinor=36" \
      -o "$BIN/$program" "./cmd/$program")
  done
}

# Three ports that nobody has.
free_ports() {
  node -e '
    const { createServer } = require("node:net");
    const servers = [0, 1, 2].map(() => createServer().listen(0, "127.0.0.1"));
    Promise.all(servers.map((one) => new Promise((resolve) => one.once("listening", resolve)))).then(() => {
      console.log(servers.map((one) => one.address().port).join(" "));
      for (const one of servers) one.close();
    });'
}

certificates() {
  cd "$1"
  umask 077
  openssl ecparam -name prime256v1 -genkey -noout -out ca.key
  openssl req -x509 -new -key ca.key -subj /CN=ca -days 30 -out ca.crt
  openssl ecparam -name prime256v1 -genkey -noout -out server.key
  openssl req -new -key server.key -subj /CN=kube-apiserver -out server.csr
  openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out server.crt \
    -extfile <(echo 'subjectAltName=IP:127.0.0.1')
  openssl genrsa -out accounts.key 2048
  openssl rsa -in accounts.key -pubout -out accounts.pub
  openssl rand -hex 16 > token
  echo "$(cat token),admin,admin,\"system:masters\"" > tokens.csv
}

up() {
  local folder=$1 port client peer
  read -r port client peer < <(free_ports)
  mkdir -p "$folder"
  folder=$(cd "$folder" && pwd)
  (certificates "$folder") >"$folder/certificates.log" 2>&1
  cat > "$folder/kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{ name: test, cluster: { server: "https://127.0.0.1:$port", certificate-authority-data: $(base64 -w0 "$folder/ca.crt") } }]
users: [{ name: admin, user: { token: $(cat "$folder/token") } }]
contexts: [{ name: test, context: { cluster: test, user: admin, namespace: default } }]
current-context: test
YAML
  "$BIN/etcd" --name test --data-dir "$folder/etcd" --unsafe-no-fsync \
    --listen-client-urls "http://127.0.0.1:$client" --advertise-client-urls "http://127.0.0.1:$client" \
    --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
    --initial-cluster "test=http://127.0.0.1:$peer" >"$folder/etcd.log" 2>&1 </dev/null &
  echo $! > "$folder/etcd.pid"
  # No controllers: nobody makes EndpointSlices of Services, and a namespace that is deleted stays.
  "$BIN/kube-apiserver" --etcd-servers "http://127.0.0.1:$client" \
    --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port "$port" \
    --endpoint-reconciler-type none --service-cluster-ip-range 10.96.0.0/16 \
    --cert-dir "$folder" --tls-cert-file "$folder/server.crt" --tls-private-key-file "$folder/server.key" \
    --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$folder/accounts.pub" --service-account-signing-key-file "$folder/accounts.key" \
    --token-auth-file "$folder/tokens.csv" --authorization-mode RBAC \
    --disable-admission-plugins ServiceAccount >"$folder/kube-apiserver.log" 2>&1 </dev/null &
  echo $! > "$folder/kube-apiserver.pid"
  for _ in $(seq 600); do
    if curl -fsS --cacert "$folder/ca.crt" -H "Authorization: Bearer $(cat "$folder/token")" \
      "https://127.0.0.1:$port/readyz" >/dev/null 2>&1; then
      echo "$folder/kubeconfig"
      return 0
    fi
    kill -0 "$(cat "$folder/kube-apiserver.pid")" 2>/dev/null || break
    sleep 0.1
  done
  tail -5 "$folder/kube-apiserver.log" >&2
  down "$folder"
  return 1
}

# Nothing that they hold is kept; a server whose etcd is gone would wait for it.
down() {
  local program
  for program in kube-apiserver etcd; do
    [ ! -f "$1/$program.pid" ] || kill -KILL "$(cat "$1/$program.pid")" 2>/dev/null || true
  done
}

case ${1:-} in
  build) build ;;
  up) up "${2:?a folder}" ;;
  down) down "${2:?a folder}" ;;
  *) echo "usage: $0 build | up FOLDER | down FOLDER" >&2; exit 2 ;;
esac
