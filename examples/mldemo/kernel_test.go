package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "compile kernel/train.c anew")

// toPTX has clang compile CUDA without NVIDIA's SDK. PTX 6.0 for sm_70 is understood
// by drivers since 2017, for GPUs since Volta. Products are not contracted with sums,
// so that they are rounded as in Go.
var toPTX = []string{"-x", "cuda", "--cuda-device-only", "--cuda-gpu-arch=sm_70", "-Xclang", "-target-feature", "-Xclang", "+ptx60",
	"-nocudainc", "-nocudalib", "-O2", "-ffp-contract=off", "-Wall", "-Werror", "-S", "-o", "-", "kernel/train.c"}

// The PTX in kernel is what the C there compiles to. Its first line has the hash of
// the C, which is looked at everywhere; where there is a clang of the same release, it
// compiles the C again.
func TestKernel(t *testing.T) {
	const release = "14"
	clang, err := exec.LookPath("clang-" + release)
	if *update {
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("kernel/train.ptx", compiled(t, clang, release), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, e := os.ReadFile("kernel/train.ptx")
	if e != nil {
		t.Fatal(e)
	}
	const advice = "with clang-" + release + ": go test ./examples/mldemo -run TestKernel -update"
	if !strings.HasPrefix(string(got), origin(t, release)) {
		t.Errorf("kernel/train.c was edited since kernel/train.ptx was made; make it anew, %s", advice)
	}
	for _, want := range []string{"\n.version 6.0\n", "\n.target sm_70\n", ".entry epoch("} {
		if !strings.Contains(string(got), want) {
			t.Errorf("kernel/train.ptx is without %q", want)
		}
	}
	if fused := regexp.MustCompile(`fma\.|mad\.(rn|f)|\.ftz|\.approx`).Find(got); fused != nil {
		t.Errorf("kernel/train.ptx has %s, which rounds otherwise than Go", fused)
	}
	if err != nil {
		t.Skipf("the C is not compiled again: %v", err)
	}
	if string(compiled(t, clang, release)) != string(got) {
		t.Errorf("kernel/train.ptx is not what kernel/train.c compiles to; make it anew, %s", advice)
	}
}

func origin(t *testing.T, release string) string {
	t.Helper()
	source, err := os.ReadFile("kernel/train.c")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("// train.c with SHA-256 %x, by clang %s\n", sha256.Sum256(source), release)
}

func compiled(t *testing.T, clang, release string) []byte {
	t.Helper()
	command := exec.Command(clang, toPTX...)
	command.Stderr = t.Output()
	ptx, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v", command, err)
	}
	return append([]byte(origin(t, release)), ptx...)
}
