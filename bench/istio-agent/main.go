// The DNS server of Istio's agent with a name table of a file, each line a host and its addresses.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"istio.io/istio/pkg/dns/client"
	dnsproto "istio.io/istio/pkg/dns/proto"
)

func main() {
	address, file := os.Args[1], os.Args[2]
	table, err := readTable(file)
	if err != nil {
		fail(err)
	}
	server, err := client.NewLocalDNSServer("bench", "bench.svc.cluster.local", address)
	if err != nil {
		fail(err)
	}
	server.UpdateLookupTable(table)
	server.StartDNS()
	select {}
}

// As istiod tells the agent of services of Kubernetes, NAME.NAMESPACE.svc.cluster.local.
func readTable(path string) (*dnsproto.NameTable, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	table := map[string]*dnsproto.NameTable_NameInfo{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		labels := strings.Split(fields[0], ".")
		table[fields[0]] = &dnsproto.NameTable_NameInfo{
			Ips: fields[1:], Registry: "Kubernetes", Shortname: labels[0], Namespace: labels[1],
		}
	}
	return &dnsproto.NameTable{Table: table}, lines.Err()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
