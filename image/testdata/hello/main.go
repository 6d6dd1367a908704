// Command hello says what it finds in its image.
package main

import (
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strings"
)

func main() {
	me, err := user.Current()
	if err != nil {
		fmt.Println(err)
		return
	}
	authorities, _ := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	fmt.Printf("hello from %s/%s\n", runtime.GOOS, runtime.GOARCH)
	fmt.Printf("I am %s (%s) in %s\n", me.Username, me.Uid, me.HomeDir)
	fmt.Println("authorities:", strings.Contains(string(authorities), "BEGIN CERTIFICATE"))
	fmt.Println("/tmp/x:", os.WriteFile("/tmp/x", nil, 0o666))
	fmt.Println("/x:", os.WriteFile("/x", nil, 0o666))
}
