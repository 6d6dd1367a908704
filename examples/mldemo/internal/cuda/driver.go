package cuda

import (
	"fmt"
	"strings"
	"unsafe"
)

// Load opens a shared library, and makes each func that functions points to the one
// of that name in the library. Package dl has one; a program sets Load in an init
// function to have GPUs, and is linked dynamically then.
var Load func(library string, functions map[string]any) error

// libraries are the names of the driver's library: that which the dynamic loader
// searches for, and folders where it may lie besides.
var libraries = []string{
	"libcuda.so.1",
	"/usr/local/nvidia/lib64/libcuda.so.1", // Google's GPU nodes
	"/usr/lib64/libcuda.so.1",              // NVIDIA's container toolkit, in images that are not Debian's
	"/usr/lib/x86_64-linux-gnu/libcuda.so.1",
	"/usr/lib/aarch64-linux-gnu/libcuda.so.1",
	"/usr/lib/wsl/lib/libcuda.so.1",       // Windows
	"/run/opengl-driver/lib/libcuda.so.1", // NixOS
}

// driver has the functions of the driver that this package calls, as in its cuda.h.
// None of them keeps an address of ours after it returned.
type driver struct {
	init               func(flags uint32) result
	driverGetVersion   func(version *int32) result
	getErrorName       func(result, **byte) result
	getErrorString     func(result, **byte) result
	deviceGetCount     func(count *int32) result
	deviceGet          func(device *int32, ordinal int32) result
	deviceGetName      func(name *byte, size, device int32) result
	deviceGetAttribute func(value *int32, attribute, device int32) result
	ctxCreate          func(context *uintptr, flags uint32, device int32) result
	ctxDestroy         func(context uintptr) result
	ctxSynchronize     func() result
	moduleLoadDataEx   func(module *uintptr, image *byte, n uint32, options *int32, values *uintptr) result
	moduleGetFunction  func(function *uintptr, module uintptr, name string) result
	memAlloc           func(at *Memory, bytes uintptr) result
	memcpyHtoD         func(to Memory, from unsafe.Pointer, bytes uintptr) result
	memcpyDtoH         func(to unsafe.Pointer, from Memory, bytes uintptr) result
	launchKernel       func(function uintptr, gridX, gridY, gridZ, blockX, blockY, blockZ, shared uint32, stream uintptr, arguments *unsafe.Pointer, extra uintptr) result
}

func load() (*driver, error) {
	if Load == nil {
		return nil, fmt.Errorf("%w: this program was not built with what opens NVIDIA's driver", ErrNoGPU)
	}
	var d driver
	functions := map[string]any{
		"cuInit": &d.init, "cuDriverGetVersion": &d.driverGetVersion,
		"cuGetErrorName": &d.getErrorName, "cuGetErrorString": &d.getErrorString,
		"cuDeviceGetCount": &d.deviceGetCount, "cuDeviceGet": &d.deviceGet,
		"cuDeviceGetName": &d.deviceGetName, "cuDeviceGetAttribute": &d.deviceGetAttribute,
		"cuCtxCreate_v2": &d.ctxCreate, "cuCtxDestroy_v2": &d.ctxDestroy, "cuCtxSynchronize": &d.ctxSynchronize,
		"cuModuleLoadDataEx": &d.moduleLoadDataEx, "cuModuleGetFunction": &d.moduleGetFunction,
		"cuMemAlloc_v2": &d.memAlloc, "cuMemcpyHtoD_v2": &d.memcpyHtoD, "cuMemcpyDtoH_v2": &d.memcpyDtoH,
		"cuLaunchKernel": &d.launchKernel,
	}
	for _, library := range libraries {
		switch err := Load(library, functions); {
		case err == nil:
			return &d, nil
		case !strings.Contains(err.Error(), library+": cannot open shared object file"):
			return nil, fmt.Errorf("%w: NVIDIA's driver does not load; install it anew, or a newer one", err)
		}
	}
	return nil, fmt.Errorf("%w: NVIDIA's driver is not here: there is no %s", ErrNoGPU, libraries[0])
}

// result is a CUresult; 0 is success.
type result int32

// Error is an answer of the driver that is no success.
type Error struct {
	Call string // what was called, cuMemAlloc_v2 of 40 bytes
	Code int    // CUresult
	Name string // CUDA_ERROR_OUT_OF_MEMORY
	Text string // the driver's, out of memory
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s: %s (%d): %s", e.Call, e.Name, e.Code, e.Text)
	if advice := advices[e.Code]; advice != "" {
		text += "; " + advice
	}
	return text
}

const noDevice = 100 // CUDA_ERROR_NO_DEVICE

func (e *Error) Is(target error) bool { return target == ErrNoGPU && e.Code == noDevice }

// advices say what to do, by code.
var advices = map[int]string{
	2:        "other programs use its memory, nvidia-smi lists them: end them, run less at once or use a larger GPU",
	34:       "a stub of the driver was found, which is for linking only: leave its folder out of LD_LIBRARY_PATH",
	46:       "another program has the GPU to itself: wait for it, or set the compute mode to default with nvidia-smi -c 0",
	noDevice: "nvidia-smi lists the GPUs that the driver finds; CUDA_VISIBLE_DEVICES may hide them",
	209:      "the kernel's PTX is not for this GPU: compile it for an older one",
	214:      "the GPU's memory is faulty: reset it with nvidia-smi -r, or replace it",
	218:      "the kernel's PTX is broken: compile it anew",
	221:      "libnvidia-ptxjitcompiler.so.1 is missing: install the whole driver; a container needs NVIDIA_DRIVER_CAPABILITIES=compute,utility, and the folder of the driver in LD_LIBRARY_PATH",
	222:      "the kernel's PTX is newer than the driver: install a newer driver",
	700:      "the kernel went beyond its memory, and this process cannot use the GPU any more: that is a bug of the kernel or its arguments",
	702:      "a screen hangs on this GPU, whose driver ends long kernels: give the kernel less work at once, or use another GPU",
	719:      "the kernel failed, and this process cannot use the GPU any more: dmesg has the reason under Xid",
	802:      "the GPU is starting, or its fabric manager is not running: try again later",
	803:      "the kernel module is of another version than the driver's library: restart the machine",
	804:      "the library is of a compatibility package that this GPU does not support: install the driver itself",
}

// check makes an error of a result.
func (d *driver) check(call string, r result) error {
	if r == 0 {
		return nil
	}
	e := &Error{Call: call, Code: int(r), Name: "CUDA_ERROR", Text: "an error that this driver does not describe"}
	for into, describe := range map[*string]func(result, **byte) result{&e.Name: d.getErrorName, &e.Text: d.getErrorString} {
		var text *byte
		if describe(r, &text) == 0 && text != nil {
			*into = goString(text)
		}
	}
	return e
}

// goString copies a text of the driver's, which ends with NUL.
func goString(text *byte) string {
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(text), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(text, n))
}
