// Prints the addresses of a name by Go's own resolver (built without cgo), or its error.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
)

func main() {
	addresses, err := net.DefaultResolver.LookupHost(context.Background(), os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, address := range addresses {
		fmt.Println(address)
	}
}
