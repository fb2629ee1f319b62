/* The few library functions a freestanding compiler and the command parser need. */
#include "guest.h"

void *memset(void *to, int byte, u64 n)
{
	u8 *p = to;

	while (n--)
		*p++ = byte;
	return to;
}

void *memcpy(void *to, const void *from, u64 n)
{
	u8 *p = to;
	const u8 *q = from;

	while (n--)
		*p++ = *q++;
	return to;
}

u64 strlen(const char *s)
{
	u64 n = 0;

	while (s[n])
		n++;
	return n;
}

int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

int same_prefix(const char *prefix, const char *s)
{
	while (*prefix)
		if (*prefix++ != *s++)
			return 0;
	return 1;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

int parse_number(const char *s, u64 *value)
{
	u64 base = 10, n = 0;
	int negative = *s == '-';

	s += negative;
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (!*s)
		return 0;
	for (; *s; s++) {
		if ((u64)digit(*s) >= base || n > (~0ul - digit(*s)) / base)
			return 0;
		n = n * base + digit(*s);
	}
	*value = negative ? -n : n;
	return 1;
}
