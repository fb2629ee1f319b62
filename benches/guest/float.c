/* Floating point. Every operation is said outright (fma or product and sum), so that every compiler makes the same results of it, to the last bit.
 * Which loops become vectors is said as well. */
#include "bench.h"
#include <math.h>

static uint64_t bits(double d)
{
	uint64_t v;

	memcpy(&v, &d, sizeof v);
	return v;
}

static double between_one_and_two(uint64_t *state)
{
	return 1.0 + (double)(next(state) >> 12) * 0x1p-52;
}

__attribute__((optimize("no-tree-vectorize"))) static uint64_t dp_matmul(uint64_t rounds)
{
	enum { N = 48 };
	static double a[N][N], b[N][N], c[N][N];
	uint64_t state = 11, sum = 0;

	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			a[i][j] = between_one_and_two(&state);
			b[i][j] = between_one_and_two(&state) - 1.5;
		}
	while (rounds--) {
		for (int i = 0; i < N; i++)
			for (int j = 0; j < N; j++) {
				double s = 0;

				for (int k = 0; k < N; k++)
					s = __builtin_fma(a[i][k], b[k][j], s);
				c[i][j] = s;
			}
		a[rounds % N][5] = 1.0 + c[3][rounds % N] * 0x1p-10;
		sum = mix(sum, bits(c[rounds % N][17]));
	}
	return sum;
}

__attribute__((optimize("tree-vectorize"))) static uint64_t saxpy(uint64_t rounds)
{
	enum { N = 4096 };
	static float x[N] __attribute__((aligned(64))), y[N] __attribute__((aligned(64)));
	uint64_t state = 13, sum = 0;

	for (int i = 0; i < N; i++) {
		x[i] = (float)between_one_and_two(&state);
		y[i] = (float)between_one_and_two(&state);
	}
	while (rounds--) {
		float a = rounds & 1 ? 0.7f : -0.7f;

		OPAQUE(a);
		for (int i = 0; i < N; i++)
			y[i] = __builtin_fmaf(a, x[i], y[i]);
		sum = mix(sum, bits(y[rounds % N]));
	}
	return sum;
}

__attribute__((optimize("no-tree-vectorize"))) static uint64_t div_sqrt(uint64_t rounds)
{
	enum { N = 1024 };
	static double x[N], y[N];
	uint64_t state = 17, sum = 0;

	for (int i = 0; i < N; i++)
		x[i] = between_one_and_two(&state);
	while (rounds--) {
		double d = between_one_and_two(&state);

		for (int i = 0; i < N; i++)
			y[i] = sqrt(x[i]) / (x[i] + d);
		x[rounds % N] = y[rounds % 7] + 1.0;
		sum = mix(sum, bits(y[rounds % N]));
	}
	return sum;
}

/* The same where each waits for the one before: what the host's unit takes for one, nobody can hide. */
static uint64_t div_sqrt_chain(uint64_t rounds)
{
	uint64_t state = 17, sum = 0;
	double x = 2;

	while (rounds--) {
		double d = between_one_and_two(&state);

		for (int i = 0; i < 1024; i++) {
			x = sqrt(x / d + 3.0);
			x = x - d / (x + 1.0);
		}
		sum = mix(sum, bits(x));
	}
	return sum;
}

const struct row float_rows[] = { { "dp-matmul", dp_matmul }, { "saxpy", saxpy }, { "div-sqrt", div_sqrt }, { "div-sqrt-chain", div_sqrt_chain }, { NULL, NULL } };
