package tooltest

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/TrilliantHealth/mops-go/internal/cluster/archive"
)

// withTar puts the tar of this machine, and what it needs, into a pod.
const withTar = `
spec:
  template:
    spec:
      containers:
      - name: worker
        env:
        - {name: PATH, value: /usr/bin}
        volumeMounts:
        - {name: bin, mountPath: /usr/bin}
        - {name: lib, mountPath: /lib}
        - {name: lib64, mountPath: /lib64}
      volumes:
      - {name: bin, hostPath: {path: /usr/bin}}
      - {name: lib, hostPath: {path: /usr/lib}}
      - {name: lib64, hostPath: {path: /usr/lib64}}
`

// Files go to pods and come back, whether there is a tar or not.
func TestCopy(t *testing.T) {
	r := newRig(t)
	reference := r.image("program")
	r.grant("--user", r.user)
	r.grant("--service-account", "mops")
	part := filepath.Join(t.TempDir(), "tar.yaml")
	if err := os.WriteFile(part, []byte(withTar), 0o600); err != nil {
		t.Fatal(err)
	}
	// From scratch, with mops inside; with tar; and with neither.
	r.run(0, "k8s", "orchestrate", reference, "--detach", "--name", "scratch", "--", "wait")
	r.run(0, "k8s", "launch", reference, "--detach", "--name", "tar", "--file", part, "--", "wait")
	r.run(0, "k8s", "launch", reference, "--detach", "--name", "neither", "--", "wait")
	r.eventually("all run", func() bool {
		out, _ := r.run(0, "k8s", "jobs")
		return strings.Contains(out, "3 Jobs: 3 running")
	})
	folder := filepath.Join(t.TempDir(), "data")
	big := make([]byte, 40<<20)
	rand.Read(big)
	for name, content := range map[string][]byte{"big": big, "sub/script": []byte("echo"), "sub/empty": nil} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o751); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("big", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	_, errs := r.run(1, "k8s", "cp", folder, "scratch:/tmp/")
	if !strings.Contains(errs, "pods/exec") && !strings.Contains(errs, "cannot get resource") || !strings.Contains(errs, "mops k8s rbac --namespace "+r.namespace+" --copy prints") {
		t.Errorf("without the permission: %s", errs)
	}
	r.grant("--user", r.user, "--copy")
	for _, pod := range []string{"scratch", "tar"} {
		out, _ := r.run(0, "k8s", "cp", folder, pod+":/tmp/")
		if out != "3 files, 41.9 MB\n" {
			t.Errorf("%s: it printed %q", pod, out)
		}
		back := filepath.Join(t.TempDir(), "back")
		r.run(0, "k8s", "cp", pod+":/tmp/data", back)
		if was, is := packed(t, folder), packed(t, back); !bytes.Equal(was, is) {
			t.Errorf("%s: what came back differs: %d bytes, %d before", pod, len(is), len(was))
		}
		if _, errs := r.run(1, "k8s", "cp", pod+":/tmp/nothing", back); !strings.Contains(strings.ToLower(errs), "no such file") {
			t.Errorf("%s: what is not there: %s", pod, errs)
		}
		if _, errs := r.run(1, "k8s", "cp", folder, pod+":/data"); !strings.Contains(strings.ToLower(errs), "permission denied") && !strings.Contains(errs, "did not confirm it") {
			t.Errorf("%s: where nobody may write: %s", pod, errs)
		}
	}
	// A small file: of a large one that nobody reads, the connection may break before it says why.
	if _, errs := r.run(1, "k8s", "cp", filepath.Join(folder, "sub", "script"), "neither:/tmp/"); !strings.Contains(errs, "has no tar") {
		t.Error(errs)
	}
	r.run(3, "k8s", "cp", folder, "nobody:/tmp/")
}

// packed is a folder with all that is in it, but for the times of links.
func packed(t *testing.T, folder string) []byte {
	t.Helper()
	var stream, all bytes.Buffer
	if _, err := archive.Pack(&stream, folder, "x"); err != nil {
		t.Fatal(err)
	}
	for in := tar.NewReader(&stream); ; {
		h, err := in.Next()
		if err == io.EOF {
			return all.Bytes()
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeSymlink {
			h.ModTime = time.Time{}
		}
		fmt.Fprintln(&all, h.Name, h.Mode, h.ModTime, h.Linkname)
		if _, err := io.Copy(&all, in); err != nil {
			t.Fatal(err)
		}
	}
}
