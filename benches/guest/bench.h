/* What the programs share: a program is a function from a count of rounds to a checksum, the same on every machine. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t (*program)(uint64_t rounds);

struct row {
	const char *name;
	program run;
};

/* Rows of each file; a row without a name ends them. */
extern const struct row integer_rows[], whole_rows[], float_rows[], system_rows[], cold_rows[], soak_rows[];

/* Says that a phase begins and waits until whoever measures has looked at its clock. */
void mark(const char *phase);
/* The program that vfork+exec starts; set from the command line. */
extern const char *leaf_path;

/* Mixes a value into a checksum. */
static inline uint64_t mix(uint64_t sum, uint64_t v)
{
	sum = (sum ^ v) * 0x9e3779b97f4a7c15u;
	return sum ^ (sum >> 29);
}

/* SplitMix64: the programs' data. */
static inline uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Hides a value from the optimiser. */
#define OPAQUE(x) __asm__ volatile("" : "+r"(x) : : "memory")

static inline void die(const char *what)
{
	perror(what);
	exit(3);
}
