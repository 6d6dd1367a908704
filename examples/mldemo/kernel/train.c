// The kernel of mldemo: one epoch of the training that learn.go and network.go do
// in Go, for one block of threads. All threads of the block share the work on a
// digit, and meet at a barrier between its steps. Each sum is made by one thread, in
// the order in which Go makes it, and nothing is contracted to a fused multiply-add,
// so the result differs from Go's in last bits at most (exponential).
//
// It is C, but for the marks of CUDA, so that clang compiles it without NVIDIA's SDK.
// It compiles to PTX, the assembly that the driver compiles for the GPU at hand:
//
//	go test ./examples/mldemo -run TestKernel -update
//
// The driver of the tests (testdata/driver.c) includes this file and runs it on a CPU.

#ifdef __CUDA__
#define KERNEL extern "C" __attribute__((global))
#define DEVICE __attribute__((device))
#define THREAD __nvvm_read_ptx_sreg_tid_x()
#define THREADS __nvvm_read_ptx_sreg_ntid_x()
#define BARRIER() __syncthreads()
#endif

#define PIXELS 196 // side*side in draw.go
#define ANSWERS 10

// Work of the threads: those of a block take the indices in turns.
#define SHARE(i, n) (int i = THREAD; i < (n); i += THREADS)

// exponential is e to the power of x, which is not above 0.
DEVICE static double exponential(double x) {
	if (x < -104) // half of the smallest float is e to the power of -103.97
		return 0;
	int twos = (int)(x * 1.4426950408889634 - 0.5);
	double rest = x - twos * 0.6931471803691238 - twos * 1.9082149292705877e-10; // ln 2 in two parts
	double sum = 1;
	for (int k = 13; k > 0; k--) // Taylor, by Horner
		sum = 1 + sum * rest / k;
	long long bits = (long long)(1023 + twos) << 52;
	double power; // of 2
	__builtin_memcpy(&power, &bits, sizeof power);
	return sum * power;
}

// epoch lets a network learn from digits, one after the other, in the given order.
// hidden has units rows of PIXELS weights and a bias, answer has ANSWERS rows of
// units weights and a bias. scratch holds PIXELS + 2 * units + 2 * ANSWERS values.
KERNEL void epoch(float *hidden, float *answer, float *scratch, const unsigned char *pixels,
                  const unsigned char *labels, const int *order, int digits, int units, float rate) {
	float *in = scratch, *active = in + PIXELS, *before = active + units;
	float *value = before + units, *power = value + ANSWERS;
	for (int at = 0; at < digits; at++) {
		const int digit = order[at];
		for SHARE(i, PIXELS)
			in[i] = pixels[digit * PIXELS + i] / 255.0f;
		BARRIER();
		for SHARE(unit, units) {
			const float *weights = hidden + unit * (PIXELS + 1);
			float sum = weights[PIXELS];
			for (int i = 0; i < PIXELS; i++)
				sum += weights[i] * in[i];
			active[unit] = sum <= 0 ? 0 : sum; // NaN stays, as in Go
		}
		BARRIER();
		for SHARE(a, ANSWERS) {
			const float *weights = answer + a * (units + 1);
			float sum = weights[units];
			for (int i = 0; i < units; i++)
				sum += weights[i] * active[i];
			value[a] = sum;
		}
		BARRIER();
		for SHARE(a, ANSWERS) {
			float largest = value[0];
			for (int b = 1; b < ANSWERS; b++)
				largest = value[b] > largest ? value[b] : largest;
			power[a] = (float)exponential(value[a] - largest);
		}
		BARRIER();
		for SHARE(a, ANSWERS) {
			float sum = 0;
			for (int b = 0; b < ANSWERS; b++)
				sum += power[b];
			value[a] = power[a] / sum - (a == labels[digit]); // how wrong
		}
		BARRIER();
		for SHARE(i, units + 1) { // a weight of each answer; the last are biases
			float sum = 0;
			for (int a = 0; a < ANSWERS; a++) {
				float *weight = answer + a * (units + 1) + i;
				sum += value[a] * *weight;
				*weight -= i < units ? rate * value[a] * active[i] : rate * value[a];
			}
			if (i < units)
				before[i] = active[i] == 0 ? 0 : sum;
		}
		BARRIER();
		for SHARE(i, units * (PIXELS + 1)) {
			const int unit = i / (PIXELS + 1), pixel = i % (PIXELS + 1);
			hidden[i] -= pixel < PIXELS ? rate * before[unit] * in[pixel] : rate * before[unit];
		}
		BARRIER();
	}
}
