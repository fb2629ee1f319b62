/*
 * Special-purpose registers by number: the number is part of the instruction, so the instruction is made when it is
 * needed.  That is also the fixture's only self-modifying code.
 */
#include "guest.h"

static const struct { const char *name; u16 number; } NAMES[] = {
	{ "pvr", 287 }, { "pir", 1023 }, { "tir", 446 }, { "xer", 1 }, { "lr", 8 }, { "ctr", 9 }, { "dscr", 17 }, { "dsisr", 18 },
	{ "dar", 19 }, { "dec", 22 }, { "srr0", 26 }, { "srr1", 27 }, { "cfar", 28 }, { "amr", 29 }, { "pid", 48 }, { "iamr", 61 },
	{ "ctrl", 136 }, { "fscr", 153 }, { "uamor", 157 }, { "pspb", 159 }, { "dpdes", 176 }, { "vrsave", 256 }, { "tb", 268 },
	{ "sprg0", 272 }, { "sprg1", 273 }, { "sprg2", 274 }, { "sprg3", 275 }, { "spurr", 308 }, { "purr", 309 }, { "lpcr", 318 },
	{ "tar", 815 }, { "vtb", 849 }, { "ic", 848 }, { "ppr", 896 },
};

static u32 code[32] __attribute__((aligned(128)));

int spr_number(const char *name, u64 *number)
{
	for (u64 i = 0; i < ARRAY_SIZE(NAMES); i++)
		if (same(NAMES[i].name, name)) {
			*number = NAMES[i].number;
			return 1;
		}
	return parse_number(name, number) && *number < 1024;
}

static u64 run(u32 instruction, u64 number, u64 value)
{
	/* The two halves of the SPR number are swapped in the instruction. */
	code[0] = instruction | (number & 31) << 16 | (number >> 5) << 11;
	code[1] = 0x4e800020;   /* blr */
	asm volatile("dcbst 0,%0; sync; icbi 0,%0; sync; isync" : : "r"(code) : "memory");
	return ((u64 (*)(u64))code)(value);
}

int spr_read(u64 number, u64 *value)
{
	return GUARDED(*value = run(0x7c6002a6, number, 0));
}

int spr_write(u64 number, u64 value)
{
	return GUARDED(run(0x7c6003a6, number, value));
}

void sprs_print(void)
{
	u64 value;

	asm volatile("mfmsr %0" : "=r"(value));
	print("msr=0x%x\n", value);
	for (u64 i = 0; i < ARRAY_SIZE(NAMES); i++) {
		if (spr_read(NAMES[i].number, &value))
			print("%s=interrupt 0x%x\n", NAMES[i].name, self->fault.vector);
		else
			print("%s=0x%x\n", NAMES[i].name, value);
	}
}
