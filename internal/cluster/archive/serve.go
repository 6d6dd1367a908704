package archive

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Program is the running program, seen from within its container: the first
// process is the image's entry point.
const Program = "/proc/1/exe"

// request is the first argument of a program that is to be a tar.
const request = "mops-archive"

// PackCommand makes a program of mops write a stream of what is at a path of its
// container, under its own name.
func PackCommand(from string) []string { return []string{Program, request, "pack", from} }

// UnpackCommand makes it read one with that name.
func UnpackCommand(name, to string) []string { return []string{Program, request, "unpack", name, to} }

// Serve does what those commands ask for, and returns the exit code; asked is false
// for a program that was started for anything else. Only in a pod of mops's, which
// has MOPS_K8S_POD in its environment, the arguments are looked at.
func Serve(args []string, in io.Reader, out, errs io.Writer) (code int, asked bool) {
	if os.Getenv("MOPS_K8S_POD") == "" || len(args) < 4 || args[1] != request {
		return 0, false
	}
	var c Count
	var err error
	switch what := args[2]; {
	case what == "pack" && len(args) == 4:
		c, err = Pack(out, args[3], filepath.Base(args[3]))
	case what == "unpack" && len(args) == 5:
		if c, err = Unpack(in, args[3], args[4]); err == nil {
			_, err = fmt.Fprintln(out, "unpacked") // or else nobody believes it
		}
	default:
		err = fmt.Errorf("%s %q is not known: the program in the pod is older than the tool", request, args[2:])
	}
	for _, note := range c.Notes {
		fmt.Fprintln(errs, "left out:", note)
	}
	if err != nil {
		fmt.Fprintln(errs, err)
		return 1, true
	}
	return 0, true
}
