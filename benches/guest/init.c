/* The guest's first process: runs each line of the console as a program and says how it ended.
 *
 *     > crc32 100          the line `bench crc32 100` of a shell
 *     crc32 0123456789abcdef
 *     status 0
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void set_up(void)
{
	struct termios t;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/tmp", 0777);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	mkdir("/dev/shm", 0777);
	mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL);
	chdir("/tmp");
	if (!tcgetattr(0, &t)) {
		t.c_lflag &= ~(ECHO | ECHOE | ECHOK | ECHONL);
		tcsetattr(0, TCSANOW, &t);
	}
}

static int run(char *line)
{
	char *argv[64] = { "/bin/bench" }, path[64];
	int argc = 1, status;

	for (char *word = strtok(line, " \n"); word && argc < 63; word = strtok(NULL, " \n"))
		argv[argc++] = word;
	/* A word with a dot before it is a program of its own, under /usr/bin. */
	char **first = argv;
	if (argc > 1 && argv[1][0] == '.') {
		snprintf(path, sizeof path, "/usr/bin/%s", argv[1] + 1);
		argv[1] = path;
		first++;
	}
	pid_t child = fork();
	if (!child) {
		execv(first[0], first);
		perror(first[0]);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

int main(void)
{
	char line[2048];

	set_up();
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		if (!strcmp(line, "off\n"))
			break;
		if (line[0] == '\n')
			continue;
		int status = run(line);
		printf("status %d\n", status);
		fflush(stdout);
	}
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
