// A library like NVIDIA's libcuda.so.1, for tests: it has the functions that package
// cuda calls, is strict about their order and arguments, and runs the kernel on the CPU.
// Names, types and codes are those of NVIDIA's cuda.h.
//
// Environment variables say how it behaves, for each call anew:
//
//	FAKECUDA_LOG           a file, to which each call is appended as a line
//	FAKECUDA_FAIL          a call and its result: cuMemAlloc_v2=2
//	FAKECUDA_VERSION       of CUDA, 12040 by default
//	FAKECUDA_DEVICES       how many GPUs there are, 1 by default
//	FAKECUDA_CAPABILITY    of each GPU, 90 by default
//	FAKECUDA_THREADS       run so few of a block's threads; the kernel divides its work among them
//	FAKECUDA_ORDER         backward: the last thread of a block runs first
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

typedef int CUresult;
typedef unsigned long long CUdeviceptr;

enum { OUT_OF_MEMORY = 2, INVALID_VALUE = 1, NOT_INITIALIZED = 3, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, INVALID_PTX = 218, NOT_FOUND = 500 };

static int number(const char *name, int otherwise) {
	const char *text = getenv(name);
	return text && *text ? atoi(text) : otherwise;
}

static void note(const char *format, ...) {
	const char *path = getenv("FAKECUDA_LOG");
	if (!path)
		return;
	char line[512];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	line[n++] = '\n';
	int file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0666);
	if (file < 0 || write(file, line, n) != n)
		abort();
	close(file);
}

// told is the result that the test wants of a call; 0 if it is to succeed.
static CUresult told(const char *call) {
	const char *fail = getenv("FAKECUDA_FAIL");
	size_t n = strlen(call);
	return fail && strncmp(fail, call, n) == 0 && fail[n] == '=' ? atoi(fail + n + 1) : 0;
}

// CALL begins a function: it notes the call, and fails if the test wants it to.
#define CALL(name, ...)                                  \
	do {                                             \
		note(name "(" __VA_ARGS__);              \
		if (told(name))                          \
			return told(name);               \
	} while (0)

// REQUIRE refuses what the driver would refuse, or what would end in chaos.
#define REQUIRE(condition, code)                         \
	do {                                             \
		if (!(condition)) {                      \
			note("refused: " #condition);    \
			return code;                     \
		}                                        \
	} while (0)

// ---- the kernel, on the CPU ----

#define KERNEL static
#define DEVICE
#define THREAD current
#define THREADS threads
#define BARRIER() swapcontext(&fibers[current].context, &scheduler)

static __thread struct fiber { ucontext_t context; char *stack; int done; } *fibers;
static __thread ucontext_t scheduler;
static __thread int current, threads;
static __thread void **arguments;

#ifndef MOST_THREADS
#define MOST_THREADS blockX
#endif
#ifndef SOURCE
#define SOURCE "../kernel/train.c"
#endif
#include SOURCE

static void fiber(void) {
	void **a = arguments;
	epoch(*(float **)a[0], *(float **)a[1], *(float **)a[2], *(unsigned char **)a[3], *(unsigned char **)a[4], *(int **)a[5],
	      *(int *)a[6], *(int *)a[7], *(float *)a[8]);
	fibers[current].done = 1;
}

// block runs the threads of a block in turns, each up to its next barrier, and says
// whether all came to the same number of barriers.
static int block(int n, void **args) {
	enum { STACK = 1 << 16 };
	int backward = getenv("FAKECUDA_ORDER") && strcmp(getenv("FAKECUDA_ORDER"), "backward") == 0;
	threads = n, arguments = args, fibers = calloc(n, sizeof *fibers);
	for (int i = 0; i < n; i++) {
		getcontext(&fibers[i].context);
		fibers[i].stack = malloc(STACK);
		fibers[i].context.uc_stack.ss_sp = fibers[i].stack;
		fibers[i].context.uc_stack.ss_size = STACK;
		fibers[i].context.uc_link = &scheduler;
		makecontext(&fibers[i].context, fiber, 0);
	}
	int done;
	do {
		done = 0;
		for (int i = 0; i < n; i++) {
			current = backward ? n - 1 - i : i;
			swapcontext(&scheduler, &fibers[current].context);
			done += fibers[current].done;
		}
	} while (done == 0);
	for (int i = 0; i < n; i++)
		free(fibers[i].stack);
	free(fibers);
	return done == n;
}

// ---- memory, with a margin on both sides that nobody may write to ----

enum { MARGIN = 64, MARK = 0xa5, MOST = 64 };

static __thread struct { char *at; size_t size; } memory[MOST];
static __thread int allocated;

// room is how many bytes there are from an address to the end of its allocation.
static size_t room(CUdeviceptr at) {
	for (int i = 0; i < allocated; i++) {
		char *begin = memory[i].at, *p = (char *)(uintptr_t)at;
		if (p >= begin && p < begin + memory[i].size)
			return begin + memory[i].size - p;
	}
	return 0;
}

static int margins(void) {
	for (int i = 0; i < allocated; i++)
		for (int j = 0; j < MARGIN; j++)
			if ((unsigned char)memory[i].at[-1 - j] != MARK || (unsigned char)memory[i].at[memory[i].size + j] != MARK)
				return 0;
	return 1;
}

// ---- the driver ----

static int initialized;             // of the process
static __thread uintptr_t context;  // current on this thread; 0 if none
static __thread CUresult fault;     // of a kernel; every later call has it
static char the_context, the_module, the_function;

#define IN_CONTEXT                                       \
	REQUIRE(initialized, NOT_INITIALIZED);           \
	REQUIRE(context, INVALID_CONTEXT);               \
	if (fault)                                       \
	return fault

CUresult cuInit(unsigned flags) {
	CALL("cuInit", "%u)", flags);
	REQUIRE(flags == 0, INVALID_VALUE);
	initialized = 1;
	return 0;
}

CUresult cuDriverGetVersion(int *version) {
	CALL("cuDriverGetVersion", ")");
	*version = number("FAKECUDA_VERSION", 12040);
	return 0;
}

CUresult cuGetErrorName(CUresult error, const char **text) {
	switch (error) {
	case INVALID_VALUE: *text = "CUDA_ERROR_INVALID_VALUE"; return 0;
	case OUT_OF_MEMORY: *text = "CUDA_ERROR_OUT_OF_MEMORY"; return 0;
	case NOT_INITIALIZED: *text = "CUDA_ERROR_NOT_INITIALIZED"; return 0;
	case 100: *text = "CUDA_ERROR_NO_DEVICE"; return 0;
	case INVALID_CONTEXT: *text = "CUDA_ERROR_INVALID_CONTEXT"; return 0;
	case INVALID_PTX: *text = "CUDA_ERROR_INVALID_PTX"; return 0;
	case 700: *text = "CUDA_ERROR_ILLEGAL_ADDRESS"; return 0;
	}
	*text = NULL; // as the driver does with codes that it does not know
	return INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult error, const char **text) {
	const char *name;
	if (cuGetErrorName(error, &name)) {
		*text = NULL;
		return INVALID_VALUE;
	}
	*text = "the fake driver's words";
	return 0;
}

CUresult cuDeviceGetCount(int *count) {
	CALL("cuDeviceGetCount", ")");
	REQUIRE(initialized, NOT_INITIALIZED);
	*count = number("FAKECUDA_DEVICES", 1);
	return 0;
}

CUresult cuDeviceGet(int *device, int ordinal) {
	CALL("cuDeviceGet", "%d)", ordinal);
	REQUIRE(initialized, NOT_INITIALIZED);
	REQUIRE(ordinal >= 0 && ordinal < number("FAKECUDA_DEVICES", 1), INVALID_DEVICE);
	*device = 7 + ordinal; // not the ordinal, so that nobody takes one for the other
	return 0;
}

CUresult cuDeviceGetName(char *name, int size, int device) {
	CALL("cuDeviceGetName", "%d, %d)", size, device);
	REQUIRE(device == 7, INVALID_DEVICE);
	snprintf(name, size, "Fake GPU");
	return 0;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, int device) {
	CALL("cuDeviceGetAttribute", "%d, %d)", attribute, device);
	REQUIRE(device == 7, INVALID_DEVICE);
	REQUIRE(attribute == 75 || attribute == 76, INVALID_VALUE);
	int capability = number("FAKECUDA_CAPABILITY", 90);
	*value = attribute == 75 ? capability / 10 : capability % 10;
	return 0;
}

CUresult cuCtxCreate_v2(uintptr_t *to, unsigned flags, int device) {
	CALL("cuCtxCreate_v2", "%u, %d)", flags, device);
	REQUIRE(initialized, NOT_INITIALIZED);
	REQUIRE(device == 7, INVALID_DEVICE);
	REQUIRE(!context && flags == 0, INVALID_VALUE);
	*to = context = (uintptr_t)&the_context;
	return 0;
}

CUresult cuCtxDestroy_v2(uintptr_t which) {
	REQUIRE(margins(), 700);
	for (int i = 0; i < allocated; i++)
		free(memory[i].at - MARGIN);
	CUresult was = fault;
	int freed = allocated;
	allocated = 0, fault = 0;
	REQUIRE(context && which == context, INVALID_CONTEXT);
	context = 0;
	CALL("cuCtxDestroy_v2", ") frees %d", freed);
	return was;
}

CUresult cuModuleLoadDataEx(uintptr_t *module, const char *image, unsigned n, int *options, void **values) {
	CALL("cuModuleLoadDataEx", "%zu bytes)", strlen(image));
	IN_CONTEXT;
	REQUIRE(n == 2 && options[0] == 5 && options[1] == 6 && (size_t)values[1] > 100, INVALID_VALUE);
	if (!strstr(image, ".version 6.0\n") || !strstr(image, ".target sm_70\n") || !strstr(image, ".visible .entry epoch(")) {
		snprintf(values[0], (size_t)values[1], "ptxas application ptx input, line 1; fatal   : Parsing error");
		return INVALID_PTX;
	}
	*module = (uintptr_t)&the_module;
	return 0;
}

CUresult cuModuleGetFunction(uintptr_t *function, uintptr_t module, const char *name) {
	CALL("cuModuleGetFunction", "%s)", name);
	IN_CONTEXT;
	REQUIRE(module == (uintptr_t)&the_module, INVALID_VALUE);
	REQUIRE(strcmp(name, "epoch") == 0, NOT_FOUND);
	*function = (uintptr_t)&the_function;
	return 0;
}

#ifndef OLD
CUresult cuMemAlloc_v2(CUdeviceptr *at, size_t size) {
	CALL("cuMemAlloc_v2", "%zu)", size);
	IN_CONTEXT;
	REQUIRE(size > 0, INVALID_VALUE);
	REQUIRE(allocated < MOST, OUT_OF_MEMORY);
	char *begin = malloc(size + 2 * MARGIN);
	memset(begin, MARK, size + 2 * MARGIN); // what is not written yet is noise
	memory[allocated].at = begin + MARGIN, memory[allocated].size = size;
	*at = (CUdeviceptr)(uintptr_t)memory[allocated++].at;
	return 0;
}
#endif

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t size) {
	CALL("cuMemcpyHtoD_v2", "%zu)", size);
	IN_CONTEXT;
	REQUIRE(size > 0 && size <= room(to), INVALID_VALUE);
	memcpy((void *)(uintptr_t)to, from, size);
	return 0;
}

CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t size) {
	CALL("cuMemcpyDtoH_v2", "%zu)", size);
	IN_CONTEXT;
	REQUIRE(size > 0 && size <= room(from), INVALID_VALUE);
	memcpy(to, (void *)(uintptr_t)from, size);
	return 0;
}

CUresult cuLaunchKernel(uintptr_t function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned shared, uintptr_t stream, void **args, void **extra) {
	CALL("cuLaunchKernel", "%ux%ux%u, %ux%ux%u, %u)", gridX, gridY, gridZ, blockX, blockY, blockZ, shared);
	IN_CONTEXT;
	REQUIRE(function == (uintptr_t)&the_function, INVALID_VALUE);
	REQUIRE(gridX == 1 && gridY == 1 && gridZ == 1 && blockY == 1 && blockZ == 1 && blockX >= 1 && blockX <= 1024, INVALID_VALUE);
	REQUIRE(shared == 0 && stream == 0 && args && !extra, INVALID_VALUE);
	int digits = *(int *)args[6], units = *(int *)args[7];
	REQUIRE(room(*(CUdeviceptr *)args[0]) == 4 * (size_t)units * (PIXELS + 1), 700);
	REQUIRE(room(*(CUdeviceptr *)args[1]) == 4 * (size_t)ANSWERS * (units + 1), 700);
	REQUIRE(room(*(CUdeviceptr *)args[2]) == 4 * (size_t)(PIXELS + 2 * units + 2 * ANSWERS), 700);
	REQUIRE(room(*(CUdeviceptr *)args[3]) == (size_t)digits * PIXELS, 700);
	REQUIRE(room(*(CUdeviceptr *)args[4]) == (size_t)digits, 700);
	REQUIRE(room(*(CUdeviceptr *)args[5]) == 4 * (size_t)digits, 700);
	REQUIRE(block(number("FAKECUDA_THREADS", MOST_THREADS), args), 719);
	return 0;
}

CUresult cuCtxSynchronize(void) {
	note("cuCtxSynchronize()");
	IN_CONTEXT;
	return fault = told("cuCtxSynchronize");
}
