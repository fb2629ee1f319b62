/* Eight integer kernels: loops of the kinds that whole programs are made of. */
#include "bench.h"

static uint64_t crc32(uint64_t rounds)
{
	static uint32_t table[256];
	static uint8_t data[65536];
	uint64_t state = 1;
	uint32_t crc = ~0u;

	for (uint32_t n = 0; n < 256; n++) {
		uint32_t c = n;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
		table[n] = c;
	}
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = next(&state);
	while (rounds--)
		for (size_t i = 0; i < sizeof data; i++)
			crc = table[(crc ^ data[i]) & 255] ^ (crc >> 8);
	return ~crc;
}

static uint64_t sieve(uint64_t rounds)
{
	enum { LIMIT = 1 << 18 };
	static uint8_t composite[LIMIT];
	uint64_t sum = 0;

	while (rounds--) {
		uint64_t count = 0;

		memset(composite, 0, sizeof composite);
		for (uint32_t i = 2; i < LIMIT; i++) {
			if (composite[i])
				continue;
			count++;
			for (uint32_t j = i + i; j < LIMIT; j += i)
				composite[j] = 1;
		}
		sum = mix(sum, count);
	}
	return sum;
}

static uint64_t xorshift(uint64_t rounds)
{
	uint64_t x = 88172645463325252u, sum = 0;

	for (uint64_t n = 0; n < rounds * 65536; n++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		sum += x % 1000003;
	}
	return sum;
}

static __attribute__((noinline)) uint64_t fibonacci(uint64_t n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static uint64_t fib(uint64_t rounds)
{
	uint64_t sum = 0;

	while (rounds--) {
		uint64_t n = 24;

		OPAQUE(n);
		sum = mix(sum, fibonacci(n));
	}
	return sum;
}

/* A machine of bytes: opcode, operands. The program counts down from its first register and stirs the others. */
enum { LOAD, ADD, XOR, ROTATE, STORE, FETCH, DECREMENT, JUMP_IF, SWAP, HALT };

static uint64_t run_bytes(const uint8_t *code, uint64_t *r, uint64_t *memory)
{
	for (const uint8_t *at = code;;) {
		switch (*at) {
		case LOAD:
			r[at[1]] = at[2];
			at += 3;
			break;
		case ADD:
			r[at[1]] += r[at[2]];
			at += 3;
			break;
		case XOR:
			r[at[1]] ^= r[at[2]];
			at += 3;
			break;
		case ROTATE:
			r[at[1]] = (r[at[1]] << at[2]) | (r[at[1]] >> (64 - at[2]));
			at += 3;
			break;
		case STORE:
			memory[r[at[1]] & 255] = r[at[2]];
			at += 3;
			break;
		case FETCH:
			r[at[1]] += memory[r[at[2]] & 255];
			at += 3;
			break;
		case DECREMENT:
			r[at[1]]--;
			at += 2;
			break;
		case JUMP_IF:
			at = r[at[1]] ? code + at[2] : at + 3;
			break;
		case SWAP: {
			uint64_t t = r[at[1]];

			r[at[1]] = r[at[2]];
			r[at[2]] = t;
			at += 3;
			break;
		}
		case HALT:
			return r[1];
		}
	}
}

static uint64_t interpreter(uint64_t rounds)
{
	static const uint8_t code[] = {
		LOAD, 1, 7, LOAD, 2, 99, LOAD, 3, 5, /* at 9: */ ADD, 1, 2, ROTATE, 1, 13, XOR, 2, 1, STORE, 2, 1, FETCH, 3, 1, SWAP, 2, 3,
		ADD, 2, 0, XOR, 3, 2, ROTATE, 3, 7, DECREMENT, 0, JUMP_IF, 0, 9, HALT,
	};
	static uint64_t memory[256];
	uint64_t r[4] = { rounds * 4096 };

	return run_bytes(code, r, memory);
}

static int ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint64_t sort(uint64_t rounds)
{
	enum { COUNT = 20000 };
	static uint32_t data[COUNT];
	uint64_t state = 3, sum = 0;

	while (rounds--) {
		for (size_t i = 0; i < COUNT; i++)
			data[i] = next(&state);
		qsort(data, COUNT, sizeof *data, ascending);
		for (size_t i = 0; i < COUNT; i += 97)
			sum = mix(sum, data[i]);
	}
	return sum;
}

static uint64_t matmul(uint64_t rounds)
{
	enum { N = 64 };
	static int32_t a[N][N], b[N][N], c[N][N];
	uint64_t state = 5, sum = 0;

	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			a[i][j] = next(&state) & 0xff;
			b[i][j] = next(&state) & 0xff;
		}
	while (rounds--) {
		for (int i = 0; i < N; i++)
			for (int j = 0; j < N; j++) {
				int32_t s = 0;

				for (int k = 0; k < N; k++)
					s += a[i][k] * b[k][j];
				c[i][j] = s;
			}
		a[rounds % N][3] = c[7][rounds % N] & 0xff;
		sum = mix(sum, c[rounds % N][11]);
	}
	return sum;
}

static uint32_t ror(uint32_t v, int n)
{
	return v >> n | v << (32 - n);
}

/* One block of SHA-256 (FIPS 180-4). The constants are the fractional parts of the cube roots of the first primes. */
static void sha_block(uint32_t *h, const uint8_t *p, const uint32_t *k)
{
	uint32_t w[64], v[8];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) + w[i - 7] + (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
	}
	memcpy(v, h, sizeof v);
	for (int i = 0; i < 64; i++) {
		uint32_t e = v[4], a = v[0];
		uint32_t t1 = v[7] + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
		uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

		v[7] = v[6];
		v[6] = v[5];
		v[5] = e;
		v[4] = v[3] + t1;
		v[3] = v[2];
		v[2] = v[1];
		v[1] = a;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

/* The first 32 bits of the fraction of the cube root of n, by bisection in integers. */
static uint32_t cube_root_fraction(uint32_t n)
{
	unsigned __int128 low = 0, high = (unsigned __int128)8 << 32;

	while (high - low > 1) {
		unsigned __int128 middle = (low + high) / 2;

		/* middle is below 2^35: its cube, below 2^105, against n * 2^96. */
		if (middle * middle * middle <= (unsigned __int128)n << 96)
			low = middle;
		else
			high = middle;
	}
	return (uint32_t)low;
}

static uint64_t sha(uint64_t rounds)
{
	static uint8_t data[16384];
	uint32_t k[64], h[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
	uint64_t state = 9;

	for (uint32_t n = 2, found = 0; found < 64; n++) {
		uint32_t d = 2;

		while (d * d <= n && n % d)
			d++;
		if (d * d > n)
			k[found++] = cube_root_fraction(n);
	}
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = next(&state);
	while (rounds--)
		for (size_t i = 0; i < sizeof data; i += 64)
			sha_block(h, data + i, k);
	return (uint64_t)h[0] << 32 | h[7];
}

const struct row integer_rows[] = {
	{ "crc32", crc32 }, { "sieve", sieve }, { "xorshift", xorshift }, { "fib", fib },
	{ "interpreter", interpreter }, { "qsort", sort }, { "matmul", matmul }, { "sha", sha }, { NULL, NULL },
};
