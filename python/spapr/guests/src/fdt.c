/*
 * A reader for the flattened device tree (Devicetree Specification, chapter 5).
 *
 * The tree is big-endian whatever we are.  A node is the address of its BEGIN_NODE token; nothing is cached, since the
 * tree is read at start and by rare commands only.
 */
#include "guest.h"

#define FDT_MAGIC 0xd00dfeed
enum { BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4 };

static u64 structs, structs_end;
static const char *strings;
static u64 boot_cpu;

static u32 word(u64 at)
{
	return at + 4 <= structs_end ? be32(*(const u32 *)at) : 9;
}

static u64 align4(u64 at)
{
	return (at + 3) & ~3ul;
}

u64 fdt_size(void *blob)
{
	const u32 *h = blob;

	return be32(h[0]) == FDT_MAGIC ? be32(h[1]) : 0;
}

int fdt_init(void *blob)
{
	const u32 *h = blob;

	if (!fdt_size(blob))
		return 0;
	structs = (u64)blob + be32(h[2]);
	structs_end = (u64)blob + be32(h[1]);
	strings = (const char *)blob + be32(h[3]);
	boot_cpu = be32(h[7]);
	return fdt_root() != 0;
}

u64 fdt_boot_cpu(void)
{
	return boot_cpu;
}

static u64 skip_nops(u64 at)
{
	while (word(at) == NOP)
		at += 4;
	return at;
}

u64 fdt_root(void)
{
	u64 at = skip_nops(structs);

	return word(at) == BEGIN_NODE ? at : 0;
}

const char *fdt_name(u64 node)
{
	return (const char *)(node + 4);
}

static u64 after_name(u64 node)
{
	return align4(node + 4 + strlen(fdt_name(node)) + 1);
}

static u64 after_prop(u64 at)
{
	return align4(at + 12 + word(at + 4));
}

static u64 after_props(u64 node)
{
	u64 at = skip_nops(after_name(node));

	while (word(at) == PROP)
		at = skip_nops(after_prop(at));
	return at;
}

u64 fdt_first_child(u64 node)
{
	u64 at = after_props(node);

	return word(at) == BEGIN_NODE ? at : 0;
}

u64 fdt_next_sibling(u64 node)
{
	u64 at = after_props(node), depth = 0;

	for (;;) {
		switch (word(at)) {
		case BEGIN_NODE:
			depth++;
			at = after_props(at);
			break;
		case END_NODE:
			at = skip_nops(at + 4);
			if (depth-- == 0)
				return word(at) == BEGIN_NODE ? at : 0;
			break;
		default:
			return 0;       /* cut short */
		}
	}
}

u64 fdt_child(u64 node, const char *name)
{
	u64 n = strlen(name);

	for (u64 c = node ? fdt_first_child(node) : 0; c; c = fdt_next_sibling(c)) {
		const char *have = fdt_name(c);

		if (same_prefix(name, have) && (have[n] == 0 || have[n] == '@'))
			return c;
	}
	return 0;
}

const void *fdt_prop(u64 node, const char *name, u32 *len)
{
	if (!node)
		return NULL;
	for (u64 at = skip_nops(after_name(node)); word(at) == PROP; at = skip_nops(after_prop(at))) {
		if (same(strings + word(at + 8), name)) {
			if (len)
				*len = word(at + 4);
			return (const void *)(at + 12);
		}
	}
	return NULL;
}

u64 fdt_cells(u64 node, const char *name, u64 index, u64 cells, u64 fallback)
{
	u32 len;
	const u32 *p = fdt_prop(node, name, &len);
	u64 value = 0;

	if (!p || len < (index + cells) * 4)
		return fallback;
	for (u64 i = 0; i < cells; i++)
		value = value << 32 | be32(p[index + i]);
	return value;
}

int fdt_compatible(u64 node, const char *what)
{
	u32 len;
	const char *p = fdt_prop(node, "compatible", &len);

	for (u64 i = 0; p && i < len; i += strlen(p + i) + 1)
		if (same(p + i, what))
			return 1;
	return 0;
}

/* Among the root's children only: that is where sPAPR puts what we look for. */
u64 fdt_find_compatible(const char *what)
{
	for (u64 c = fdt_first_child(fdt_root()); c; c = fdt_next_sibling(c))
		if (fdt_compatible(c, what))
			return c;
	return 0;
}
