/* One program for everything that is measured: `bench NAME ROUNDS [COPIES [LEAF]]` prints NAME and a checksum; COPIES processes run it at a time. */
#include "bench.h"
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

const char *leaf_path = "/bin/leaf";
static const struct row *const tables[] = { integer_rows, whole_rows, float_rows, system_rows, cold_rows, soak_rows };

void mark(const char *phase)
{
	char line[16];

	printf("phase %s\n", phase);
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin))
		die("phase");
}

static program find(const char *name)
{
	for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
		for (const struct row *r = tables[t]; r->name; r++)
			if (!strcmp(r->name, name))
				return r->run;
	fprintf(stderr, "bench: no program is called %s\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: bench NAME ROUNDS [COPIES [LEAF]]\n");
		return 2;
	}
	program run = find(argv[1]);
	uint64_t rounds = strtoull(argv[2], NULL, 0), sum = 0;
	int copies = argc > 3 ? atoi(argv[3]) : 1;

	if (argc > 4)
		leaf_path = argv[4];
	if (copies == 1) {
		sum = run(rounds);
	} else {
		uint64_t *sums = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (sums == MAP_FAILED)
			die("mmap");
		for (int k = 0; k < copies; k++) {
			pid_t child = fork();

			if (child < 0)
				die("fork");
			if (!child) {
				sums[k] = run(rounds);
				_exit(0);
			}
		}
		for (int k = 0, status; k < copies; k++)
			if (wait(&status) < 0 || status)
				die("a copy");
		for (int k = 0; k < copies; k++)
			sum = mix(sum, sums[k]);
	}
	printf("%s %016llx\n", argv[1], (unsigned long long)sum);
	return 0;
}
