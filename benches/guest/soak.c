/* Four threads on all processors for ROUNDS rounds, with everything checked as they go: patterns in memory, pages that come and go, code that is
 * written over, counters by atomic operations and under a lock, a clock that no processor may see going back; and at the end, that the
 * timer of every processor ticked. The checksum is that of the counts, so it is the same everywhere. */
#define _GNU_SOURCE
#include "bench.h"
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, WORDS = 1 << 15, PAGES = 12, CPUS_MAX = 64 };

static uint64_t rounds_wanted, last_time, atomic_count, locked_count;
static int lock_word;

static void fail(const char *what, uint64_t found, uint64_t wanted)
{
	printf("soak: %s: found %llx, wanted %llx\n", what, (unsigned long long)found, (unsigned long long)wanted);
	exit(4);
}

/* Nobody who looks after another has looked may see an earlier time. */
static void clock_goes_on(void)
{
	uint64_t seen = __atomic_load_n(&last_time, __ATOMIC_ACQUIRE);
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	uint64_t now = t.tv_sec * 1000000000u + t.tv_nsec;
	if (now < seen)
		fail("the clock went back", now, seen);
	while (seen < now && !__atomic_compare_exchange_n(&last_time, &seen, now, 0, __ATOMIC_RELEASE, __ATOMIC_ACQUIRE))
		;
}

static void memory_keeps(uint64_t *words, uint64_t seed)
{
	uint64_t state = seed;

	for (int i = 0; i < WORDS; i++)
		words[i] = next(&state);
	memmove(words + 1, words, (WORDS - 1) * sizeof *words);
	state = seed;
	for (int i = 1; i < WORDS; i++) {
		uint64_t wanted = next(&state);

		if (words[i] != wanted)
			fail("memory", words[i], wanted);
	}
}

/* The next thousand pages of each thread, a few at a time; every other round one becomes read-only before it is read. */
static void pages_come_and_go(uint64_t round)
{
	size_t page = sysconf(_SC_PAGESIZE);
	uint8_t *at = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	for (size_t k = 0; k < PAGES; k++) {
		if (at[k * page] || at[k * page + page - 8])
			fail("a new page", at[k * page], 0);
		memset(at + k * page, (int)(round + k), page);
	}
	if (round & 1 && mprotect(at, PAGES / 2 * page, PROT_READ))
		die("mprotect");
	for (size_t k = 0; k < PAGES * page; k += 509)
		if (at[k] != (uint8_t)(round + k / page))
			fail("a page", at[k], round + k / page);
	munmap(at, PAGES * page);
}

#ifdef __powerpc64__
static void code_changes(uint32_t *code, uint64_t round)
{
	for (int k = 0; k < 4; k++) {
		uint64_t wanted = (round * 4 + k) & 0x7fff;

		/* li r3,wanted; blr */
		code[0] = 0x38600000u | (uint32_t)wanted;
		code[1] = 0x4e800020;
		__builtin___clear_cache((char *)code, (char *)(code + 2));
		uint64_t found = ((uint64_t(*)(void))code)();
		if (found != wanted)
			fail("code written over", found, wanted);
	}
}
#else
static void code_changes(uint32_t *code, uint64_t round)
{
	code[0] = round;
}
#endif

static void *one_thread(void *number)
{
	uint64_t seed = (uintptr_t)number;
	uint64_t *words = malloc(WORDS * sizeof *words);
	uint32_t *code = mmap(NULL, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!words || code == MAP_FAILED)
		die("memory");
	for (uint64_t round = 0; round < rounds_wanted; round++) {
		clock_goes_on();
		memory_keeps(words, seed * 1000003 + round);
		pages_come_and_go(round);
		code_changes(code + round % 16000, round);
		for (int k = 0; k < 200; k++) {
			__atomic_fetch_add(&atomic_count, 1, __ATOMIC_RELAXED);
			while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE))
				sched_yield();
			locked_count++;
			__atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE);
		}
		if (round % 8 == 7)
			usleep(500);
	}
	munmap(code, 65536);
	free(words);
	return NULL;
}

/* How often each processor's timer has ticked; how many processors there are. */
static int ticks(uint64_t *of)
{
	FILE *f = fopen("/proc/interrupts", "r");
	char line[4096];
	int cpus = 0;

	if (!f)
		return 0;
	while (fgets(line, sizeof line, f)) {
		char *at = strstr(line, "LOC:");

		/* The line for the timer event device comes first; on some machines there are others. */
		if (!at || cpus)
			continue;
		at += 4;
		for (char *end; cpus < CPUS_MAX; at = end) {
			of[cpus] = strtoull(at, &end, 10);
			if (end == at)
				break;
			cpus++;
		}
	}
	fclose(f);
	return cpus;
}

static uint64_t soak(uint64_t rounds)
{
	pthread_t threads[THREADS];
	uint64_t before[CPUS_MAX], after[CPUS_MAX];
	int cpus = ticks(before);

	rounds_wanted = rounds;
	for (uintptr_t k = 0; k < THREADS; k++)
		if (pthread_create(&threads[k], NULL, one_thread, (void *)k))
			die("pthread_create");
	for (int k = 0; k < THREADS; k++)
		pthread_join(threads[k], NULL);
	if (atomic_count != rounds * THREADS * 200)
		fail("the atomic counter", atomic_count, rounds * THREADS * 200);
	if (locked_count != atomic_count)
		fail("the counter under a lock", locked_count, atomic_count);
#ifdef __powerpc64__
	ticks(after);
	for (int k = 0; k < cpus; k++)
		if (after[k] <= before[k])
			fail("the timer of a processor", after[k], before[k] + 1);
#else
	(void)after, (void)cpus;
#endif
	return mix(mix(rounds, atomic_count), locked_count + 1);
}

const struct row soak_rows[] = { { "soak", soak }, { NULL, NULL } };
