/* Code that runs once: a straight run of distinct instructions, ROUNDS thousands of them, is written to memory and called twice, with a mark before each
 * call. What the first call costs beyond the second is what making it ready costs.
 *
 * Other processors compute what the code would have computed, so the checksum is the same on all. */
#include "bench.h"
#include <sys/mman.h>

/* One group: eight instructions on the sum (r3), two temporaries (r5, r7) and a buffer of 4 KiB (r4). */
enum { GROUP = 8, WORDS = 512 };

struct operands {
	int add, rotate, put, get, compare;
};

static struct operands operands(uint64_t *state)
{
	uint64_t v = next(state);

	return (struct operands){ (int)(v & 0x7fff), (int)(v >> 16 & 63), (int)(v >> 24 & 511), (int)(v >> 36 & 511), (int)(v >> 48 & 0x7fff) };
}

static uint64_t twice(void (*call)(void *, uint64_t *, uint64_t *), void *how)
{
	uint64_t buffer[WORDS] = { 0 }, sum = 1;

	mark("first");
	call(how, &sum, buffer);
	mark("second");
	call(how, &sum, buffer);
	mark("end");
	for (int i = 0; i < WORDS; i++)
		sum = mix(sum, buffer[i]);
	return sum;
}

#ifdef __powerpc64__
static void call_it(void *code, uint64_t *sum, uint64_t *buffer)
{
	*sum = ((uint64_t(*)(uint64_t, uint64_t *))code)(*sum, buffer);
}

static uint32_t d_form(int op, int t, int a, int d)
{
	return (uint32_t)op << 26 | (uint32_t)t << 21 | (uint32_t)a << 16 | (d & 0xffff);
}

static uint64_t cold(uint64_t rounds)
{
	uint64_t groups = rounds * 1000 / GROUP, state = 23;
	size_t size = groups * GROUP * 4 + 4;
	uint32_t *code = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *w = code;

	if (code == MAP_FAILED)
		die("mmap");
	while (groups--) {
		struct operands o = operands(&state);

		*w++ = d_form(14, 3, 3, o.add);                                                       /* addi  r3,r3,add */
		*w++ = 0x78650000u | (uint32_t)(o.rotate & 31) << 11 | (uint32_t)(o.rotate >> 5) << 1; /* rotldi r5,r3,rotate */
		*w++ = 0x7c632a78;                                                                    /* xor   r3,r3,r5 */
		*w++ = d_form(62, 3, 4, 8 * o.put);                                                   /* std   r3,put(r4) */
		*w++ = d_form(58, 7, 4, 8 * o.get);                                                   /* ld    r7,get(r4) */
		*w++ = 0x2c270000u | (uint32_t)o.compare;                                             /* cmpdi r7,compare */
		*w++ = 0x41820008;                                                                    /* beq   over the add */
		*w++ = 0x7c633a14;                                                                    /* add   r3,r3,r7 */
	}
	*w = 0x4e800020;
	__builtin___clear_cache((char *)code, (char *)code + size);
	uint64_t sum = twice(call_it, code);
	munmap(code, size);
	return sum;
}
#else
static void compute(void *how, uint64_t *sum, uint64_t *buffer)
{
	uint64_t state = 23, r3 = *sum;

	for (uint64_t groups = *(uint64_t *)how; groups--;) {
		struct operands o = operands(&state);
		uint64_t r5, r7;

		r3 += o.add;
		r5 = o.rotate ? r3 << o.rotate | r3 >> (64 - o.rotate) : r3;
		r3 ^= r5;
		buffer[o.put] = r3;
		r7 = buffer[o.get];
		if (r7 != (uint64_t)o.compare)
			r3 += r7;
	}
	*sum = r3;
}

static uint64_t cold(uint64_t rounds)
{
	uint64_t groups = rounds * 1000 / GROUP;

	return twice(compute, &groups);
}
#endif

const struct row cold_rows[] = { { "cold", cold }, { NULL, NULL } };
