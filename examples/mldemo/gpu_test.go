//go:build linux && (amd64 || arm64)

package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/cpu"

	"github.com/TrilliantHealth/mops-go"
	"github.com/TrilliantHealth/mops-go/examples/mldemo/internal/cuda"
	"github.com/TrilliantHealth/mops-go/examples/mldemo/internal/cuda/dl"
	"github.com/TrilliantHealth/mops-go/mopstest"
)

// tolerance is that of trainOnGPU.
const tolerance = 1e-4

// The test binary and its workers use a GPU like a program built with the tag gpu.
func init() { cuda.Load = dl.Load }

// fakeDriver compiles testdata/driver.c, which includes the kernel, and makes it what
// this process takes for the driver. It returns the library and the file of its calls.
func fakeDriver(t *testing.T, flags ...string) (library, log string) {
	t.Helper()
	library = compileDriver(t, "testdata/driver.c", flags...)
	log = useDriver(t, library)
	return library, log
}

func compileDriver(t *testing.T, source string, flags ...string) (library string) {
	t.Helper()
	for _, compiler := range []string{"cc", "gcc", "clang", "clang-14"} {
		if path, err := exec.LookPath(compiler); err == nil {
			library = filepath.Join(t.TempDir(), "libcuda.so.1")
			command := exec.Command(path, append([]string{"-O2", "-ffp-contract=off", "-shared", "-fPIC", "-o", library, source}, flags...)...)
			if out, err := command.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", command, err, out)
			}
			return library
		}
	}
	t.Skip("left out: there is no C compiler to make the fake driver with")
	return ""
}

func useDriver(t *testing.T, library string) (log string) {
	t.Helper()
	cuda.Load = func(_ string, functions map[string]any) error { return dl.Load(library, functions) }
	t.Cleanup(func() { cuda.Load = dl.Load })
	log = filepath.Join(t.TempDir(), "calls")
	t.Setenv("FAKECUDA_LOG", log)
	return log
}

// lines are the calls that the fake driver got.
func lines(t *testing.T, log string) []string {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func drawn(t *testing.T, digits int, seed uint64) Set {
	t.Helper()
	set, err := draw(t.Context(), Drawing{digits, seed})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func weights(n Network) []float32 {
	return append(slices.Concat(n.Hidden...), slices.Concat(n.Answer...)...)
}

// difference is the largest between weights of the two.
func difference(t *testing.T, a, b Network) (most float64, unequal int) {
	t.Helper()
	x, y := weights(a), weights(b)
	if len(x) != len(y) || len(a.Hidden) != len(b.Hidden) {
		t.Fatalf("%d and %d weights", len(x), len(y))
	}
	for i := range x {
		if d := math.Abs(float64(x[i]) - float64(y[i])); d > 0 || d != d {
			unequal++
			most = max(most, d)
		}
	}
	return most, unequal
}

// What the kernel learns is what Go learns, within the tolerance. The kernel's own
// source runs here, for a small network and for one with more units than threads.
func TestKernelLearnsAsGo(t *testing.T) {
	fakeDriver(t)
	t.Setenv("FAKECUDA_THREADS", "1")
	training, others := drawn(t, 600, 1), drawn(t, 600, 2)
	for _, in := range []Lesson{{Hidden: 1, Rate: 0.01}, {Hidden: 4, Rate: 0.003}, {Hidden: 16, Rate: 0.03}, {Hidden: 48, Rate: 0.01}, {Hidden: 300, Rate: 0.003}} {
		checkLearnsAsGo(t, in, training, others)
	}
}

// Elsewhere products are fused with sums: by Go itself on arm64, by a kernel compiled
// without -ffp-contract=off. The tolerance covers what becomes of that while a network
// learns, and shows that it is one: these weights are not those of the CPU.
func TestTolerance(t *testing.T) {
	if runtime.GOARCH == "amd64" && !cpu.X86.HasFMA {
		t.Skip("left out: this CPU does not fuse products with sums")
	}
	flags := []string{"-ffp-contract=fast"}
	if runtime.GOARCH == "amd64" {
		flags = append(flags, "-mfma")
	}
	fakeDriver(t, flags...)
	t.Setenv("FAKECUDA_THREADS", "1")
	training, others := drawn(t, 600, 1), drawn(t, 600, 2)
	for _, in := range []Lesson{{Hidden: 4, Rate: 0.003}, {Hidden: 16, Rate: 0.03}, {Hidden: 48, Rate: 0.01}} {
		if unequal := checkLearnsAsGo(t, in, training, others); unequal == 0 && runtime.GOARCH == "amd64" {
			t.Error("all weights are those of the CPU, so nothing was fused")
		}
	}
}

// checkLearnsAsGo returns how many weights differ.
func checkLearnsAsGo(t *testing.T, in Lesson, training, others Set) (unequal int) {
	t.Helper()
	want, err := trainOnCPU(t.Context(), in, training)
	if err != nil {
		t.Fatal(err)
	}
	got, gpu, err := trainOnGPU(t.Context(), in, training)
	if err != nil {
		t.Fatal(err)
	}
	most, unequal := difference(t, got, want)
	t.Logf("%s, %d units, rate %g: %d of %d weights differ, by %g at most", gpu, in.Hidden, in.Rate, unequal, len(weights(want)), most)
	if !(most <= tolerance) {
		t.Errorf("the weights should be within %g", tolerance)
	}
	beginner := Network{}
	if _, beginner = begin(in); slices.Equal(weights(got), weights(beginner)) {
		t.Error("nothing was learned")
	}
	ctx := mopstest.Context(t)
	var right [2]float64
	for i, n := range []Network{got, want} {
		if right[i], err = Judge.Call(ctx, Trial{n, mops.Share(others)}); err != nil {
			t.Fatal(err)
		}
	}
	if math.Abs(right[0]-right[1]) > 0.01 {
		t.Errorf("%.3f right on the GPU, %.3f on the CPU", right[0], right[1])
	}
	return unequal
}

// The threads of a block may run in any order between two barriers. So the result is
// the same if the first goes first, if the last does, and if there is but one; and it
// would not be with any of the barriers left out.
func TestBarriers(t *testing.T) {
	source, err := os.ReadFile("kernel/train.c")
	if err != nil {
		t.Fatal(err)
	}
	in, set := Lesson{Hidden: 16, Rate: 0.03}, drawn(t, 10, 1)
	orders := func() (networks []Network) {
		for _, variable := range []string{"FAKECUDA_ORDER=forward", "FAKECUDA_ORDER=backward", "FAKECUDA_THREADS=1", "FAKECUDA_THREADS=33"} {
			name, value, _ := strings.Cut(variable, "=")
			os.Setenv(name, value)
			n, _, err := trainOnGPU(t.Context(), in, set)
			os.Unsetenv(name)
			if err != nil {
				t.Fatal(variable, err)
			}
			networks = append(networks, n)
		}
		return networks
	}
	agree := func(networks []Network) bool {
		for _, n := range networks[1:] {
			if !slices.Equal(weights(n), weights(networks[0])) {
				return false
			}
		}
		return true
	}
	fakeDriver(t)
	if !agree(orders()) {
		t.Error("the order of threads changes the result")
	}
	parts := strings.Split(string(source), "\t\tBARRIER();\n")
	if len(parts) != 8 {
		t.Fatalf("%d barriers", len(parts)-1)
	}
	for i := 1; i < len(parts); i++ {
		without := filepath.Join(t.TempDir(), "without.c")
		text := strings.Join(parts[:i], "\t\tBARRIER();\n") + strings.Join(parts[i:], "\t\tBARRIER();\n")
		if err := os.WriteFile(without, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		fakeDriver(t, fmt.Sprintf(`-DSOURCE="%s"`, without))
		if agree(orders()) {
			t.Errorf("nobody notices that barrier %d is missing", i)
		}
	}
}

// The driver gets these calls, in this order, on one thread and with these arguments.
func TestDriverCalls(t *testing.T) {
	_, log := fakeDriver(t)
	t.Setenv("FAKECUDA_THREADS", "1")
	if _, gpu, err := trainOnGPU(t.Context(), Lesson{Hidden: 4, Rate: 0.01}, drawn(t, 3, 1)); err != nil || gpu != "Fake GPU" {
		t.Fatal(gpu, err)
	}
	got := lines(t, log)
	attributes := slices.DeleteFunc(slices.Clone(got), func(line string) bool { return !strings.HasPrefix(line, "cuDeviceGetAttribute") })
	slices.Sort(attributes)
	if !slices.Equal(attributes, []string{"cuDeviceGetAttribute(75, 7)", "cuDeviceGetAttribute(76, 7)"}) {
		t.Errorf("%q", attributes)
	}
	got = slices.DeleteFunc(got, func(line string) bool { return strings.HasPrefix(line, "cuDeviceGetAttribute") })
	want := []string{"cuInit(0)", "cuDriverGetVersion()", "cuDeviceGetCount()", "cuDeviceGet(0)", "cuDeviceGetName(256, 7)",
		"cuCtxCreate_v2(0, 7)", fmt.Sprintf("cuModuleLoadDataEx(%d bytes)", len(kernel)),
		"cuMemAlloc_v2(3152)", "cuMemcpyHtoD_v2(3152)", // 4 units with 196 weights and a bias
		"cuMemAlloc_v2(200)", "cuMemcpyHtoD_v2(200)", // 10 answers with 4 weights and a bias
		"cuMemAlloc_v2(896)",
		"cuMemAlloc_v2(588)", "cuMemcpyHtoD_v2(588)", // 3 digits
		"cuMemAlloc_v2(3)", "cuMemcpyHtoD_v2(3)",
		"cuMemAlloc_v2(12)"}
	for range 12 {
		want = append(want, "cuMemcpyHtoD_v2(12)", "cuModuleGetFunction(epoch)", "cuLaunchKernel(1x1x1, 256x1x1, 0)", "cuCtxSynchronize()")
	}
	want = append(want, "cuMemcpyDtoH_v2(3152)", "cuMemcpyDtoH_v2(200)", "cuCtxDestroy_v2() frees 6")
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Whatever the driver refuses, the error says so and what to do, the context is gone,
// and the CPU does the work. What is no fault of the GPU's is no warning either.
func TestDriverFails(t *testing.T) {
	in, set := Lesson{Hidden: 4, Rate: 0.01}, drawn(t, 20, 1)
	for _, c := range []struct {
		name, variable, want string
		none                 bool   // no GPU, rather than one that fails
		last                 string // call
	}{
		{"no device", "FAKECUDA_FAIL=cuInit=100", "cuInit: CUDA_ERROR_NO_DEVICE (100): the fake driver's words; nvidia-smi lists", true, "cuInit"},
		{"none is left", "FAKECUDA_DEVICES=0", "no GPU: the driver finds none; CUDA_VISIBLE_DEVICES may hide it", true, "cuDeviceGetCount"},
		{"old driver", "FAKECUDA_VERSION=8000", "NVIDIA's driver is of CUDA 8.0, and the kernel needs 9.0: install a newer driver", false, "cuDriverGetVersion"},
		{"old GPU", "FAKECUDA_CAPABILITY=61", "Fake GPU has compute capability 6.1, and the kernel needs 7.0: use a newer GPU", false, "cuDeviceGetAttribute"},
		{"other kernel module", "FAKECUDA_FAIL=cuInit=803", "cuInit: CUDA_ERROR (803): an error that this driver does not describe; the kernel module is of another version", false, "cuInit"},
		{"taken", "FAKECUDA_FAIL=cuCtxCreate_v2=46", "cuCtxCreate_v2: CUDA_ERROR (46)", false, "cuCtxCreate_v2"},
		{"broken PTX", "", "cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX (218): the fake driver's words; the kernel's PTX is broken: compile it anew; its compiler said: ptxas application ptx input, line 1; fatal   : Parsing error", false, "cuCtxDestroy_v2() frees 0"},
		{"newer PTX", "FAKECUDA_FAIL=cuModuleLoadDataEx=222", "the kernel's PTX is newer than the driver: install a newer driver", false, "cuCtxDestroy_v2() frees 0"},
		{"no memory", "FAKECUDA_FAIL=cuMemAlloc_v2=2", "cuMemAlloc_v2 of 3152 bytes: CUDA_ERROR_OUT_OF_MEMORY (2): the fake driver's words; other programs use its memory", false, "cuCtxDestroy_v2() frees 0"},
		{"copying there", "FAKECUDA_FAIL=cuMemcpyHtoD_v2=1", "cuMemcpyHtoD_v2: CUDA_ERROR_INVALID_VALUE (1)", false, "cuCtxDestroy_v2() frees 1"},
		{"no such kernel", "FAKECUDA_FAIL=cuModuleGetFunction=500", "cuModuleGetFunction epoch: CUDA_ERROR (500)", false, "cuCtxDestroy_v2() frees 6"},
		{"launch", "FAKECUDA_FAIL=cuLaunchKernel=701", "cuLaunchKernel epoch: CUDA_ERROR (701)", false, "cuCtxDestroy_v2() frees 6"},
		{"fault", "FAKECUDA_FAIL=cuCtxSynchronize=700", "cuCtxSynchronize after kernel epoch: CUDA_ERROR_ILLEGAL_ADDRESS (700): the fake driver's words; the kernel went beyond its memory", false, "cuCtxDestroy_v2() frees 6"},
		{"copying back", "FAKECUDA_FAIL=cuMemcpyDtoH_v2=1", "cuMemcpyDtoH_v2: CUDA_ERROR_INVALID_VALUE (1)", false, "cuCtxDestroy_v2() frees 6"},
		{"release", "FAKECUDA_FAIL=cuCtxDestroy_v2=1", "cuCtxDestroy_v2: CUDA_ERROR_INVALID_VALUE (1)", false, "cuCtxDestroy_v2() frees 6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, log := fakeDriver(t)
			t.Setenv("FAKECUDA_THREADS", "1")
			if name, value, ok := strings.Cut(c.variable, "="); ok {
				t.Setenv(name, value)
			}
			if c.name == "broken PTX" {
				whole := kernel
				defer func() { kernel = whole }()
				kernel = "// nothing"
			}
			_, _, err := trainOnGPU(t.Context(), in, set)
			checkFailure(t, err, c.want, c.none)
			got := lines(t, log)
			if last := got[len(got)-1]; !strings.HasPrefix(last, c.last) || strings.Contains(strings.Join(got, "\n"), "refused") {
				t.Errorf("the calls end with %s:\n%s", last, strings.Join(got, "\n"))
			}
			checkFallsBack(t, in, set, err)
		})
	}
}

func checkFailure(t *testing.T, err error, want string, none bool) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, cuda.ErrNoGPU) != none {
		t.Errorf("%v\nwant %s, no GPU: %t", err, want, none)
	}
}

// checkFallsBack checks that training goes on as on the CPU, says why, and warns of
// what is broken.
func checkFallsBack(t *testing.T, in Lesson, set Set, why error) {
	t.Helper()
	want, err := trainOnCPU(t.Context(), in, set)
	if err != nil {
		t.Fatal(err)
	}
	root, told := t.TempDir(), new(strings.Builder)
	ctx := mopstest.Context(t, mops.Root("file://"+root), mops.LogTo(slog.New(slog.NewTextHandler(told, nil))))
	in.Digits = mops.Share(set)
	got, err := Train.Call(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(weights(got), weights(want)) {
		t.Error("it learned something else than on the CPU")
	}
	if device := recordedDevices(t, root); len(device) != 1 || !strings.HasPrefix(device[0], "CPU: "+why.Error()[:20]) {
		t.Errorf("recorded: %q", device)
	}
	if warned := strings.Contains(told.String(), "the GPU failed"); warned == errors.Is(why, cuda.ErrNoGPU) {
		t.Errorf("warned: %t\n%s", warned, told)
	}
}

// recordedDevices are those on which the calls of Train in a store were computed.
func recordedDevices(t *testing.T, root string) (devices []string) {
	t.Helper()
	results, err := filepath.Glob(filepath.Join(root, "mops1", "*", "examples", "mldemo", "train@*", "*", "result"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range results {
		record, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		device := regexp.MustCompile(`"device":"([^"]*)"`).FindSubmatch(record)
		if device == nil {
			t.Fatalf("%s records no device", path)
		}
		devices = append(devices, string(device[1]))
	}
	return devices
}

// A library that lacks a function, one that does not load, and none.
func TestNoDriver(t *testing.T) {
	in, set := Lesson{Hidden: 4, Rate: 0.01}, drawn(t, 20, 1)
	learn := func() error {
		_, _, err := trainOnGPU(t.Context(), in, set)
		return err
	}
	t.Run("too old", func(t *testing.T) {
		fakeDriver(t, "-DOLD")
		checkFailure(t, learn(), "has no function cuMemAlloc_v2: ", false)
		checkFailure(t, learn(), "NVIDIA's driver does not load; install it anew, or a newer one", false)
	})
	t.Run("no library", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "libcuda.so.1")
		if err := os.WriteFile(path, []byte("text"), 0o666); err != nil {
			t.Fatal(err)
		}
		useDriver(t, path)
		checkFailure(t, learn(), "NVIDIA's driver does not load", false)
	})
	t.Run("not built with it", func(t *testing.T) {
		defer func() { cuda.Load = dl.Load }()
		cuda.Load = nil
		err := learn()
		checkFailure(t, err, "no GPU: this program was not built with what opens NVIDIA's driver", true)
		checkFallsBack(t, in, set, err)
	})
	t.Run("elsewhere", func(t *testing.T) {
		library := compileDriver(t, "testdata/driver.c")
		useDriver(t, library)
		cuda.Load = func(name string, functions map[string]any) error {
			if name != "/usr/local/nvidia/lib64/libcuda.so.1" {
				return dl.Load("/nowhere/"+name, functions)
			}
			return dl.Load(library, functions)
		}
		if err := learn(); err != nil {
			t.Error(err)
		}
	})
	t.Run("not there", func(t *testing.T) {
		if err := dl.Load("libcuda.so.1", nil); err == nil {
			t.Skip("left out: this machine has NVIDIA's driver")
		}
		err := learn()
		checkFailure(t, err, "no GPU: NVIDIA's driver is not here: there is no libcuda.so.1", true)
		checkFallsBack(t, in, set, err)
	})
}

// What the kernel cannot do is left to Go before the driver is asked.
func TestNotForGPU(t *testing.T) {
	_, log := fakeDriver(t)
	for _, c := range []struct {
		in  Lesson
		set Set
	}{
		{Lesson{Hidden: 0, Rate: 0.01}, drawn(t, 5, 1)},
		{Lesson{Hidden: 4, Rate: 0.01}, Set{}},
		{Lesson{Hidden: 4, Rate: 0.01}, Set{Pixels: make([]byte, side*side), Labels: []byte{10}}},
		{Lesson{Hidden: 4, Rate: 0.01}, Set{Pixels: make([]byte, side*side), Labels: []byte{1, 2}}},
	} {
		if _, _, err := trainOnGPU(t.Context(), c.in, c.set); !errors.Is(err, cuda.ErrNoGPU) {
			t.Error(err)
		}
	}
	if _, err := os.Stat(log); err == nil {
		t.Errorf("the driver was asked: %q", lines(t, log))
	}
	ctx := mopstest.Context(t)
	if n, err := Train.Call(ctx, Lesson{Digits: mops.Share(Set{}), Hidden: 4, Rate: 0.01}); err != nil || len(n.Hidden) != 4 {
		t.Errorf("of nothing it should learn nothing: %v", err)
	}
}

// A call that nobody waits for ends between two epochs, and is not made again on the CPU.
func TestCancelOnGPU(t *testing.T) {
	_, log := fakeDriver(t)
	t.Setenv("FAKECUDA_THREADS", "1")
	mine := errors.New("enough")
	ctx, cancel := context.WithCancelCause(mopstest.Context(t))
	cancel(mine)
	if _, _, err := trainOnGPU(ctx, Lesson{Hidden: 4, Rate: 0.01}, drawn(t, 20, 1)); !errors.Is(err, mine) {
		t.Error(err)
	}
	got := lines(t, log)
	if launched := strings.Count(strings.Join(got, "\n"), "cuLaunchKernel"); launched != 1 || got[len(got)-1] != "cuCtxDestroy_v2() frees 6" {
		t.Errorf("%d launches, and at last %s", launched, got[len(got)-1])
	}
}

// A real GPU learns what Go does, within the tolerance.
func TestRealGPU(t *testing.T) {
	in, training := Lesson{Hidden: 48, Rate: 0.01}, drawn(t, 1000, 1)
	if _, _, err := trainOnGPU(t.Context(), in, training); errors.Is(err, cuda.ErrNoGPU) {
		t.Skip("left out: ", err)
	}
	others := drawn(t, 1000, 2)
	for _, in := range []Lesson{{Hidden: 4, Rate: 0.003}, {Hidden: 16, Rate: 0.03}, in, {Hidden: 300, Rate: 0.003}} {
		checkLearnsAsGo(t, in, training, others)
	}
}

// Built with the tag gpu, the program is linked dynamically also without cgo, and
// trains on the GPU if there is a driver. Built without, it is static, and what the
// other computed on the GPU is a hit for it, of no other code.
func TestProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("left out: builds two programs")
	}
	driver := filepath.Dir(compileDriver(t, "testdata/driver.c"))
	static, dynamic := program(t), program(t, "-tags=gpu")
	for path, want := range map[string]bool{static: false, dynamic: true} {
		if file, err := elf.Open(path); err != nil {
			t.Error(err)
		} else if loaded := slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }); loaded != want {
			t.Errorf("%s is linked dynamically: %t", path, loaded)
		}
	}
	run := func(path, root string, variables ...string) (verdict, calls string) {
		t.Helper()
		demo := exec.CommandContext(t.Context(), path, "-digits", "40")
		demo.Env = append(os.Environ(), append(variables, "MOPS_ROOT=file://"+root, "MOPS_CACHE="+t.TempDir(), "MOPS_CONFIG=")...)
		var printed, told strings.Builder
		demo.Stdout, demo.Stderr = &printed, &told
		if err := demo.Run(); err != nil || strings.Contains(told.String(), "WARN") {
			t.Fatalf("%v\n%s%s", err, &printed, &told)
		}
		verdict, calls, _ = strings.Cut(printed.String(), "22 calls: ")
		return verdict, calls
	}
	onGPU, onCPU := t.TempDir(), t.TempDir()
	verdict, calls := run(dynamic, onGPU, "LD_LIBRARY_PATH="+driver, "FAKECUDA_THREADS=1")
	if devices := recordedDevices(t, onGPU); len(devices) != 9 || strings.Join(slices.Compact(devices), ",") != "Fake GPU" {
		t.Errorf("it was trained on %q", devices)
	}
	if !strings.HasPrefix(calls, "0 hits, 22 computed") {
		t.Error(calls)
	}
	if again, calls := run(static, onGPU); again != verdict || !strings.HasPrefix(calls, "22 hits, 0 computed") {
		t.Errorf("without a GPU, it found\n%s%s, with one\n%s", again, calls, verdict)
	}
	run(dynamic, onCPU, "LD_LIBRARY_PATH=", "FAKECUDA_FAIL=")
	if devices := recordedDevices(t, onCPU); len(devices) != 9 {
		t.Errorf("it was trained on %q", devices)
	}
}

func program(t *testing.T, flags ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "mldemo")
	build := exec.Command("go", append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path}, flags...)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// Nothing but a program with the tag, on a platform that package dl has, is linked
// with what opens libraries.
func TestWhatOpensLibraries(t *testing.T) {
	for platform, want := range map[string]bool{
		"linux/amd64": false, "linux/amd64 -tags=gpu": true, "linux/arm64 -tags=gpu": true,
		"linux/386 -tags=gpu": false, "darwin/arm64 -tags=gpu": false, "windows/amd64 -tags=gpu": false,
	} {
		platform, flag, tagged := strings.Cut(platform, " ")
		system, architecture, _ := strings.Cut(platform, "/")
		list := exec.Command("go", "list", "-deps", ".")
		if tagged {
			list.Args = slices.Insert(list.Args, 3, flag)
		}
		list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+architecture)
		out, err := list.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if got := strings.Contains(string(out), "github.com/ebitengine/purego\n"); got != want {
			t.Errorf("%s %s has purego: %t", platform, flag, got)
		}
	}
}
