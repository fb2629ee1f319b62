/* A guest's only process, which notices what a migration may break: memory, clocks, and whether every cpu ticks.
 *
 * One thread per cpu, bound to it. Each keeps a set of pages whose every doubleword follows from the page, the word and a generation, goes through them
 * again and again (check, then write the next generation), sleeps a little by a timer in between, and counts. Timebase and CLOCK_MONOTONIC are compared
 * with the latest value that any cpu has seen: they may not go back. The first thread says every tenth of a second how it goes:
 *
 *     CHECK 12 ok tb=… ticks=31,30,30,31
 *     CHECK 13 FAIL cpu 2: …
 *
 * Built with powerpc64le-linux-gnu-gcc -static -O2 -pthread; the kernel runs it as /init. `mover.pages=N` on the command line sets the pages per cpu. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CPUS_MAX = 64, WORDS = 65536 / 8 };

static struct cpu {
    pthread_t thread;
    int number;
    uint64_t *pages;
    _Atomic uint64_t ticks, generation;
} cpus[CPUS_MAX];

static int ncpus;
static long npages = 8;
static _Atomic uint64_t latest_tb, latest_ns;
static _Atomic(const char *) failure;
static char failure_text[200];

static void fail(int cpu, const char *what, uint64_t found, uint64_t wanted)
{
    static atomic_flag once = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&once))
        return;
    snprintf(failure_text, sizeof failure_text, "cpu %d: %s: %#llx, expected %#llx", cpu, what, (unsigned long long)found,
             (unsigned long long)wanted);
    failure = failure_text;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* `value` was read after `latest` held what it holds at most. */
static void forward(int cpu, _Atomic uint64_t *latest, uint64_t seen, uint64_t value, const char *what)
{
    if (value < seen)
        fail(cpu, what, value, seen);
    while (seen < value && !atomic_compare_exchange_weak(latest, &seen, value))
        ;
}

static uint64_t word(int cpu, long page, long w, uint64_t generation)
{
    return ((uint64_t)cpu << 56 | (uint64_t)page << 40 | (uint64_t)w << 20) ^ generation * 0x9e3779b97f4a7c15ull;
}

static void *live(void *arg)
{
    struct cpu *c = arg;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(c->number, &set);
    if (sched_setaffinity(0, sizeof set, &set))
        fail(c->number, "sched_setaffinity", 0, 0);
    for (uint64_t g = 0;; g++) {
        for (long p = 0; p < npages; p++) {
            uint64_t *page = c->pages + p * WORDS;
            /* A few words of each 4 KiB, other ones each time. */
            for (long w = g % 512; w < WORDS; w += 512) {
                uint64_t before = g < 512 ? 0 : word(c->number, p, w, g - 512);
                if (page[w] != before)
                    fail(c->number, "memory", page[w], before);
                page[w] = word(c->number, p, w, g);
            }
            uint64_t seen = latest_tb;
            forward(c->number, &latest_tb, seen, __builtin_ppc_get_timebase(), "timebase");
            seen = latest_ns;
            forward(c->number, &latest_ns, seen, now_ns(), "CLOCK_MONOTONIC");
        }
        if (sched_getcpu() != c->number)
            fail(c->number, "cpu", sched_getcpu(), c->number);
        struct timespec rest = {0, 2000000};
        nanosleep(&rest, NULL);
        c->ticks++;
        c->generation = g;
    }
    return NULL;
}

int main(void)
{
    char line[2048] = "";
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    int fd = open("/proc/cmdline", O_RDONLY);
    if (fd >= 0 && read(fd, line, sizeof line - 1) > 0 && strstr(line, "mover.pages="))
        npages = atol(strstr(line, "mover.pages=") + 12);
    ncpus = sysconf(_SC_NPROCESSORS_ONLN);
    printf("mover: %d cpus, %ld pages of 64 KiB each\n", ncpus, npages);
    fflush(stdout);
    for (int n = 0; n < ncpus && n < CPUS_MAX; n++) {
        cpus[n].number = n;
        cpus[n].pages = mmap(NULL, npages * WORDS * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (cpus[n].pages == MAP_FAILED || pthread_create(&cpus[n].thread, NULL, live, &cpus[n]))
            fail(n, "start", 0, 0);
    }
    uint64_t before[CPUS_MAX] = {0}, since[CPUS_MAX] = {0};
    for (unsigned n = 1;; n++) {
        struct timespec rest = {0, 100000000};
        nanosleep(&rest, NULL);
        uint64_t now = now_ns();
        char out[1024];
        int at = 0;
        for (int k = 0; k < ncpus; k++) {
            uint64_t ticks = cpus[k].ticks;
            if (ticks != before[k] || !since[k])
                since[k] = now;
            /* A busy host may keep a cpu waiting; a cpu that lost its timer never comes back. */
            if (now - since[k] > 30000000000ull)
                fail(k, "ticks stand still, seconds", (now - since[k]) / 1000000000, 0);
            before[k] = ticks;
            at += snprintf(out + at, sizeof out - at, "%s%llu", k ? "," : "", (unsigned long long)ticks);
        }
        const char *wrong = failure;
        printf("CHECK %u %s tb=%llu ns=%llu ticks=%s%s%s\n", n, wrong ? "FAIL" : "ok", (unsigned long long)__builtin_ppc_get_timebase(),
               (unsigned long long)now, out, wrong ? " " : "", wrong ? wrong : "");
        fflush(stdout);
    }
}
