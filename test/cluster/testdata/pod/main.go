// Command pod does in a pod what its arguments say, and exits with the code that
// they give: exit CODE, get URL, or eat, memory without end.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
)

func main() {
	switch os.Args[1] {
	case "exit":
		fmt.Println("exits with", os.Args[2])
		code, _ := strconv.Atoi(os.Args[2])
		os.Exit(code)
	case "get":
		response, err := http.Get(os.Args[2])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		io.Copy(os.Stdout, response.Body)
	case "eat":
		for eaten := []byte{1}; ; {
			eaten = append(eaten, eaten...)
		}
	}
}
