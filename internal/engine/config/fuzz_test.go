package config

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("function = { \"a\" = { retries = 1 } }"))
	f.Add([]byte("function.\"a/b\".timeout = '''\n2h'''\r\n"))
	f.Add([]byte("[[function]]\n[function.a.b]\noff=\"\"\"\n[x]\n\"\"\""))
	f.Add([]byte("\xef\xbb\xbf[function.\"\"]\nforce=true"))
	f.Add([]byte("[k8s]\nworkload_identity_namespaces = [\"a\", 1]\n[k8s.b]"))
	f.Add([]byte("[k8s.node_in]\npool=[\"a\"]\n[k8s.env]\nA=\"b\"\n[k8s]\nlogs=0.5"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("mops.toml", data)
		if err == nil {
			file.For("a/b")
			return
		}
		problem, ok := errors.AsType[*Error](err)
		if !ok {
			t.Fatalf("%T holds no *Error: %v", err, err)
		}
		if file != nil || !strings.HasPrefix(err.Error(), "mops.toml:") {
			t.Fatalf("%+v, %v", file, err)
		}
		if last := bytes.Count(data, []byte("\n")) + 1; problem.Line < 1 || problem.Line > last {
			t.Fatalf("line %d of %d: %v", problem.Line, last, err)
		}
	})
}
