/* `fault KIND`: one small function per interrupt that a program can cause, each resumed behind its instruction. */
#include "guest.h"

#define UNMAPPED 0x0f00000000000000ul

static void illegal(void) { asm volatile(".long 0"); }
static void trap(void) { asm volatile("trap"); }
static void system_call(void) { asm volatile("sc 0" : : : "memory", "r0", "r3", "cr0"); }
static void floating(void) { asm volatile(".machine push; .machine power8; fadd 0,0,0; .machine pop"); }
static void vector_unit(void) { asm volatile(".long 0x10000484"); /* vor v0,v0,v0 */ }
static void vsx_unit(void) { asm volatile(".long 0xf0000490"); /* xxlor vs0,vs0,vs0 */ }
static void hypervisor(void) { asm volatile("mfspr 0,304" : : : "r0"); /* HSPRG0 */ }
static void unmapped(void) { asm volatile("ld 0,0(%0)" : : "r"(UNMAPPED) : "r0"); }
static void unmapped_store(void) { asm volatile("std 0,0(%0)" : : "b"(UNMAPPED) : "memory"); }
static void fetch(void) { asm volatile("mtctr %0; bctrl" : : "r"(UNMAPPED) : "lr", "ctr"); }

static void alignment(void)
{
	u64 words[2];

	asm volatile("lwarx 0,0,%0" : : "r"((u64)words + 1) : "r0");
}

static const struct { const char *name; void (*provoke)(void); } KINDS[] = {
	{ "illegal", illegal }, { "trap", trap }, { "hypervisor", hypervisor }, { "alignment", alignment }, { "unmapped", unmapped },
	{ "unmapped-store", unmapped_store }, { "fetch", fetch }, { "fp", floating }, { "vmx", vector_unit }, { "vsx", vsx_unit },
	{ "sc", system_call },
};

int fault_provoke(const char *kind)
{
	for (u64 i = 0; i < ARRAY_SIZE(KINDS); i++) {
		if (!same(KINDS[i].name, kind))
			continue;
		print("fault %s ", kind);
		if (GUARDED(KINDS[i].provoke()))
			fault_print();
		else
			print("none");
		print("\n");
		return 1;
	}
	return 0;
}

void fault_kinds_print(void)
{
	print("fault kinds:");
	for (u64 i = 0; i < ARRAY_SIZE(KINDS); i++)
		print(" %s", KINDS[i].name);
	print("\n");
}
