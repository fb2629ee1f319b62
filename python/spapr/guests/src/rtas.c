/*
 * Run-time abstraction services, called through H_RTAS: no firmware blob has to be instantiated, which a machine booted
 * from a bare device tree does not offer.  The argument buffer is big-endian: token, nargs, nret, arguments, returns.
 */
#include "guest.h"

#define WORDS_MAX 32

static u64 node;

/* How many values a call returns, its status included; what is not here returns the status alone. */
static const struct { const char *name; u64 returns; } RETURNS[] = {
	{ "check-exception", 1 },
	{ "get-power-level", 2 },
	{ "get-sensor-state", 2 },
	{ "get-time-of-day", 8 },
	{ "ibm,change-msi", 3 },
	{ "ibm,create-pe-dma-window", 4 },
	{ "ibm,get-config-addr-info2", 2 },
	{ "ibm,get-xive", 3 },
	{ "ibm,query-interrupt-source-number", 3 },
	{ "ibm,query-pe-dma-window", 5 },
	{ "ibm,read-pci-config", 2 },
	{ "nvram-fetch", 2 },
	{ "nvram-store", 2 },
	{ "query-cpu-stopped-state", 2 },
	{ "read-pci-config", 2 },
	{ "set-power-level", 2 },
};

void rtas_init(void)
{
	node = fdt_child(fdt_root(), "rtas");
}

u64 rtas_returns(const char *name)
{
	for (u64 i = 0; i < ARRAY_SIZE(RETURNS); i++)
		if (same(RETURNS[i].name, name))
			return RETURNS[i].returns;
	return 1;
}

int rtas_token(const char *name, u32 *token)
{
	u32 len;
	const u32 *p = fdt_prop(node, name, &len);

	if (!p || len != 4)
		return 0;
	*token = be32(*p);
	return 1;
}

s64 rtas_call(const char *name, u64 nargs, u64 nret, const u64 *args, u32 *rets)
{
	u32 buffer[WORDS_MAX] __attribute__((aligned(16)));
	u32 token;

	if (!rtas_token(name, &token) || 3 + nargs + nret > WORDS_MAX)
		return RTAS_MISSING;
	memset(buffer, 0, sizeof(buffer));
	buffer[0] = be32(token);
	buffer[1] = be32(nargs);
	buffer[2] = be32(nret);
	for (u64 i = 0; i < nargs; i++)
		buffer[3 + i] = be32(args[i]);
	sync();
	hcall(H_RTAS, (u64)buffer, 0, 0, 0);
	sync();
	for (u64 i = 0; i < nret; i++)
		rets[i] = be32(*(volatile u32 *)&buffer[3 + nargs + i]);
	return nret ? (s64)(int)rets[0] : 0;
}

s64 rtas(const char *name, u64 nargs, u64 a, u64 b, u64 c)
{
	u64 args[3] = { a, b, c };
	u32 status;

	return rtas_call(name, nargs, 1, args, &status);
}

void rtas_panic(const char *message)
{
	rtas("ibm,os-term", 1, (u64)message, 0, 0);
	/* The call may return; there is nothing left to do but not to disturb. */
	for (;;) {
		irq_disable();
		cede();
	}
}
