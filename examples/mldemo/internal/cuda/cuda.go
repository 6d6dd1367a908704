// Package cuda runs a kernel on the first NVIDIA GPU of this machine, through the
// driver's own library, libcuda.so.1. It needs neither cgo nor NVIDIA's SDK. The kernel
// comes as PTX, an assembly that the driver compiles for the GPU that it finds.
//
// The package stands alone, to be copied. It does not open the library by itself,
// since a program that can open libraries is linked dynamically: see [Load].
package cuda

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"unsafe"
)

// ErrNoGPU says that there is none here, so nothing is broken: no driver, no GPU, or
// a program that was built without what opens the driver.
var ErrNoGPU = errors.New("no GPU")

// What the PTX of a kernel may ask for, and so what a driver and a GPU must know.
const (
	oldestDriver     = 9000 // CUDA 9.0, of 2017, has PTX 6.0
	oldestCapability = 70   // sm_70, Volta
)

// GPU is one with a context and a kernel's module in it, for the time of [With].
type GPU struct {
	Name   string // as the driver has it: NVIDIA H200
	driver *driver
	module uintptr
}

// With runs do with the GPU, on which ptx is loaded. It returns the error of do, or an
// error that says what the driver refused and what to do about it; an *[Error] is in it.
// All that do allocates on the GPU is released with the context when With returns. The
// GPU is for the goroutine of do alone, since the driver binds a context to a thread.
// Several goroutines may call With; each has a context of its own.
func With(ptx string, do func(*GPU) error) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d, err := load()
	if err != nil {
		return err
	}
	device, name, err := d.first()
	if err != nil {
		return err
	}
	var context uintptr
	if err := d.check("cuCtxCreate_v2", d.ctxCreate(&context, 0, device)); err != nil {
		return err
	}
	defer func() {
		// After a fault each call has the fault's error, which err has already.
		if e := d.check("cuCtxDestroy_v2", d.ctxDestroy(context)); err == nil {
			err = e
		}
	}()
	gpu := &GPU{Name: name, driver: d}
	if gpu.module, err = d.compile(ptx); err != nil {
		return err
	}
	return do(gpu)
}

// first finds the first GPU, and checks that it and the driver are new enough.
func (d *driver) first() (device int32, name string, err error) {
	if err := d.check("cuInit", d.init(0)); err != nil {
		return 0, "", err
	}
	var version, count int32
	if err := d.check("cuDriverGetVersion", d.driverGetVersion(&version)); err != nil {
		return 0, "", err
	}
	if version < oldestDriver {
		return 0, "", fmt.Errorf("NVIDIA's driver is of CUDA %d.%d, and the kernel needs %d.%d: install a newer driver",
			version/1000, version%1000/10, oldestDriver/1000, oldestDriver%1000/10)
	}
	if err := d.check("cuDeviceGetCount", d.deviceGetCount(&count)); err != nil {
		return 0, "", err
	}
	if count == 0 {
		return 0, "", fmt.Errorf("%w: the driver finds none; CUDA_VISIBLE_DEVICES may hide it", ErrNoGPU)
	}
	if err := d.check("cuDeviceGet", d.deviceGet(&device, 0)); err != nil {
		return 0, "", err
	}
	text := make([]byte, 256)
	if err := d.check("cuDeviceGetName", d.deviceGetName(&text[0], int32(len(text)), device)); err != nil {
		return 0, "", err
	}
	name = untilNUL(text)
	var major, minor int32
	for attribute, value := range map[int32]*int32{75: &major, 76: &minor} { // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_…
		if err := d.check("cuDeviceGetAttribute", d.deviceGetAttribute(value, attribute, device)); err != nil {
			return 0, "", err
		}
	}
	if 10*major+minor < oldestCapability {
		return 0, "", fmt.Errorf("%s has compute capability %d.%d, and the kernel needs %d.%d: use a newer GPU",
			name, major, minor, oldestCapability/10, oldestCapability%10)
	}
	return device, name, nil
}

// compile has the driver compile PTX for the GPU of the current context.
func (d *driver) compile(ptx string) (module uintptr, err error) {
	text, log := append([]byte(ptx), 0), make([]byte, 8<<10)
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(&log[0])
	options := []int32{5, 6} // CU_JIT_ERROR_LOG_BUFFER and its size in bytes
	values := []uintptr{uintptr(unsafe.Pointer(&log[0])), uintptr(len(log))}
	err = d.check("cuModuleLoadDataEx", d.moduleLoadDataEx(&module, &text[0], uint32(len(options)), &options[0], &values[0]))
	if said := untilNUL(log); err != nil && said != "" {
		err = fmt.Errorf("%w; its compiler said: %s", err, said)
	}
	return module, err
}

// Memory is an address on the GPU.
type Memory uint64

// Allocate reserves room for n values, which is not cleared.
func Allocate[T any](g *GPU, n int) (at Memory, err error) {
	bytes := uintptr(n) * unsafe.Sizeof(*new(T))
	return at, g.driver.check(fmt.Sprintf("cuMemAlloc_v2 of %d bytes", bytes), g.driver.memAlloc(&at, bytes))
}

// Put copies values to the GPU, where at least as many have room at an address.
func Put[T any](g *GPU, at Memory, values []T) error {
	return g.driver.check("cuMemcpyHtoD_v2", g.driver.memcpyHtoD(at, pointer(values), size(values)))
}

// Get copies values from the GPU.
func Get[T any](g *GPU, values []T, at Memory) error {
	return g.driver.check("cuMemcpyDtoH_v2", g.driver.memcpyDtoH(pointer(values), at, size(values)))
}

// Upload allocates and puts.
func Upload[T any](g *GPU, values []T) (Memory, error) {
	at, err := Allocate[T](g, len(values))
	if err != nil {
		return 0, err
	}
	return at, Put(g, at, values)
}

func pointer[T any](values []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(values)) }
func size[T any](values []T) uintptr           { return uintptr(len(values)) * unsafe.Sizeof(*new(T)) }

// Run runs a kernel in one block of threads, and waits for its end. Its arguments are
// Memory, int32 or float32: those of the kernel, in its order.
func (g *GPU) Run(kernel string, threads int, arguments ...any) error {
	d := g.driver
	var function uintptr
	if err := d.check("cuModuleGetFunction "+kernel, d.moduleGetFunction(&function, g.module, kernel)); err != nil {
		return err
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	addresses := make([]unsafe.Pointer, len(arguments))
	for i, argument := range arguments {
		switch argument.(type) {
		case Memory, int32, float32:
		default:
			return fmt.Errorf("argument %d of kernel %s is a %T, and may be Memory, int32 or float32", i, kernel, argument)
		}
		value := reflect.New(reflect.TypeOf(argument))
		value.Elem().Set(reflect.ValueOf(argument))
		addresses[i] = value.UnsafePointer()
		pins.Pin(addresses[i])
	}
	const noSharedMemory, defaultStream, noExtra = 0, 0, 0
	launched := d.launchKernel(function, 1, 1, 1, uint32(threads), 1, 1, noSharedMemory, defaultStream, unsafe.SliceData(addresses), noExtra)
	if err := d.check("cuLaunchKernel "+kernel, launched); err != nil {
		return err
	}
	return d.check("cuCtxSynchronize after kernel "+kernel, d.ctxSynchronize())
}

func untilNUL(text []byte) string {
	before, _, _ := bytes.Cut(text, []byte{0})
	return string(before)
}
