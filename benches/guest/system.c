/* What a kernel is needed for: big copies, system calls, processes. */
#define _GNU_SOURCE
#include "bench.h"
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t copy(uint64_t rounds)
{
	enum { SIZE = 16 << 20 };
	uint64_t *from = malloc(SIZE), *to = malloc(SIZE), state = 19, sum = 0;

	if (!from || !to)
		die("malloc");
	for (size_t i = 0; i < SIZE / 8; i++)
		from[i] = next(&state);
	while (rounds--) {
		uint64_t *t;

		from[rounds] = rounds;
		memcpy(to, from, SIZE);
		OPAQUE(to);
		t = from, from = to, to = t;
	}
	for (size_t i = 0; i < SIZE / 8; i += 61)
		sum = mix(sum, from[i]);
	free(from);
	free(to);
	return sum;
}

static uint64_t getppid_calls(uint64_t rounds)
{
	uint64_t right = 0;
	long parent = syscall(SYS_getppid);

	for (uint64_t n = rounds * 1000; n--;)
		right += syscall(SYS_getppid) == parent;
	return right;
}

static uint64_t pipes(uint64_t rounds)
{
	int there[2], back[2], status;
	uint64_t v = 1, sum = 0;

	rounds *= 100;
	if (pipe(there) || pipe(back))
		die("pipe");
	pid_t child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		while (rounds--) {
			if (read(there[0], &v, sizeof v) != sizeof v)
				_exit(1);
			v = v * 3 + 1;
			if (write(back[1], &v, sizeof v) != sizeof v)
				_exit(1);
		}
		_exit(0);
	}
	while (rounds--) {
		if (write(there[1], &v, sizeof v) != sizeof v || read(back[0], &v, sizeof v) != sizeof v)
			die("pipe");
		sum = mix(sum, v);
	}
	if (waitpid(child, &status, 0) != child || status)
		die("the other end");
	return sum;
}

static uint64_t forks(uint64_t rounds)
{
	uint64_t sum = 0;

	rounds *= 10;
	while (rounds--) {
		int status;
		pid_t child = fork();

		if (child < 0)
			die("fork");
		if (!child)
			_exit(rounds & 127);
		if (waitpid(child, &status, 0) != child)
			die("waitpid");
		sum = mix(sum, WEXITSTATUS(status));
	}
	return sum;
}

/* Starts the leaf, which ends with `status`. */
static pid_t start_leaf(int status)
{
	char number[12];
	char *argv[] = { "leaf", number, NULL }, *none[] = { NULL };

	snprintf(number, sizeof number, "%d", status);
	pid_t child = vfork();
	if (!child) {
		execve(leaf_path, argv, none);
		_exit(255);
	}
	return child;
}

static uint64_t execs(uint64_t rounds)
{
	uint64_t sum = 0;

	rounds *= 10;
	while (rounds--) {
		int status;
		pid_t child = start_leaf(rounds & 127);

		if (child < 0)
			die("vfork");
		if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) == 255)
			die(leaf_path);
		sum = mix(sum, WEXITSTATUS(status));
	}
	return sum;
}

/* Nothing, for as long as told in milliseconds: what an idle guest costs. */
static uint64_t idle(uint64_t rounds)
{
	usleep(rounds * 1000);
	return rounds;
}

const struct row system_rows[] = {
	{ "memcpy", copy }, { "getppid", getppid_calls }, { "pipe", pipes }, { "fork", forks }, { "exec", execs }, { "idle", idle }, { NULL, NULL },
};
