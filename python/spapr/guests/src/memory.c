/*
 * Memory: a heap that only grows, and the dirty window.
 *
 * The window is written page by page, round and round, at a chosen rate.  What a page must contain follows from its
 * number and from how often it has been written, and that follows from the total alone; so `verify` finds a page that
 * is intact but old, which is the mistake that migration and snapshots make, not only a page that is broken.
 */
#include "guest.h"

#define PAGE 4096ul
#define WORDS (PAGE / 8)
#define MIB (1ul << 20)
#define WINDOW_MIN (16 * MIB)
#define RATE_MAX 10000000ul
#define MAGIC 0x7061676573746d70ul
#define BAD_SHOWN 8

/* The words of a page: MAGIC ^ number, how often written, checksum, content. */
enum { WORD_MAGIC, WORD_WRITES, WORD_SUM, WORD_CONTENT };

static u64 heap;
static u64 ram_end;

static struct {
	int running;
	u64 base, rate, pages, writes, started_writes, last, credit;
} dirty;

void heap_init(u64 from)
{
	heap = from;
}

void *heap_alloc(u64 size, u64 align)
{
	u64 at = (heap + align - 1) & -align;

	heap = at + size;
	return (void *)at;
}

u64 heap_end(void)
{
	return heap;
}

void dirty_init(void)
{
	u64 root = fdt_root();
	u64 address_cells = fdt_cells(root, "#address-cells", 0, 1, 2);
	u64 size_cells = fdt_cells(root, "#size-cells", 0, 1, 1);

	/* Real mode reaches no further than the memory node at 0, whatever the other nodes add. */
	for (u64 n = fdt_first_child(root); n; n = fdt_next_sibling(n)) {
		const char *type = fdt_prop(n, "device_type", NULL);

		if (type && same(type, "memory") && fdt_cells(n, "reg", 0, address_cells, 1) == 0)
			ram_end = fdt_cells(n, "reg", address_cells, size_cells, 0);
	}
}

u64 window_start(void)
{
	u64 above_heap = (heap + MIB - 1) & -MIB;

	return above_heap > WINDOW_MIN ? above_heap : WINDOW_MIN;
}

u64 window_bytes(void)
{
	return ram_end > window_start() ? ram_end - window_start() : 0;
}

static u64 *page_words(u64 number)
{
	return (u64 *)(dirty.base + number * PAGE);
}

static u64 weight(u64 word)
{
	return 2 * word + 1;
}

static u64 next_random(u64 x)
{
	return x * 6364136223846793005ul + 1442695040888963407ul;
}

static void page_first_write(u64 *page, u64 number)
{
	u64 x = next_random(number + MAGIC), sum;

	page[WORD_MAGIC] = MAGIC ^ number;
	page[WORD_WRITES] = 1;
	sum = page[WORD_MAGIC] * weight(WORD_MAGIC) + weight(WORD_WRITES);
	for (u64 i = WORD_CONTENT; i < WORDS; i++) {
		x = next_random(x);
		page[i] = x;
		sum += x * weight(i);
	}
	page[WORD_SUM] = sum;
}

/* Later writes change three words, as a guest's do, not the whole page. */
static void page_rewrite(u64 *page, u64 number, u64 writes)
{
	u64 at = WORD_CONTENT + writes * 7919 % (WORDS - WORD_CONTENT);
	u64 value = next_random(number ^ writes << 32);

	page[WORD_SUM] += (value - page[at]) * weight(at) + weight(WORD_WRITES);
	page[at] = value;
	page[WORD_WRITES]++;
}

static void dirty_one(void)
{
	u64 number = dirty.writes % dirty.pages, before = dirty.writes / dirty.pages;

	if (before == 0)
		page_first_write(page_words(number), number);
	else
		page_rewrite(page_words(number), number, before);
	dirty.writes++;
}

void dirty_tick(void)
{
	u64 now = timebase(), elapsed = now - dirty.last, due;

	dirty.last = now;
	if (!dirty.running)
		return;
	/* After a pause the time that was missed is not made up for. */
	if (elapsed > timebase_hz)
		elapsed = timebase_hz;
	dirty.credit += elapsed * dirty.rate;
	due = dirty.credit / timebase_hz;
	dirty.credit %= timebase_hz;
	/* Leave half of the thread's time to its commands; a rate beyond that is not reached, and the report says so. */
	for (u64 i = 0; i < due; i++) {
		if (i % 4 == 3 && timebase() - now > timebase_hz / 100)
			break;
		dirty_one();
	}
}

const char *dirty_start(u64 rate, u64 mib)
{
	u64 pages = mib * (MIB / PAGE);

	if (dirty.running)
		return "already running; dirty stop first";
	if (rate == 0 || rate > RATE_MAX)
		return "the rate is 1 to 10000000 pages per second";
	if (mib == 0 || mib > window_bytes() / MIB)
		return "the window does not fit into memory; see info";
	irq_disable();
	/* The same window goes on where it was, so that a checked history can be long. */
	if (pages != dirty.pages) {
		dirty.base = window_start();
		dirty.pages = pages;
		dirty.writes = 0;
	}
	dirty.rate = rate;
	dirty.started_writes = dirty.writes;
	dirty.credit = 0;
	dirty.last = timebase();
	dirty.running = 1;
	irq_enable();
	return NULL;
}

int dirty_running(void)
{
	return dirty.running;
}

void dirty_stop(void)
{
	dirty.running = 0;
}

void dirty_report(void)
{
	print("dirty running=%u rate=%u pages=%u writes=%u since-start=%u\n", (u64)dirty.running, dirty.rate, dirty.pages, dirty.writes,
	      dirty.writes - dirty.started_writes);
}

/* 0, or 1 + the word that is wrong. */
static u64 page_check(const u64 *page, u64 number, u64 writes)
{
	u64 sum = 0;

	for (u64 i = 0; i < WORDS; i++)
		if (i != WORD_SUM)
			sum += page[i] * weight(i);
	if (page[WORD_MAGIC] != (MAGIC ^ number))
		return 1 + WORD_MAGIC;
	if (page[WORD_WRITES] != writes)
		return 1 + WORD_WRITES;
	return page[WORD_SUM] == sum ? 0 : 1 + WORD_SUM;
}

u64 dirty_verify(void)
{
	static const char *const WHAT[] = { "number", "age", "checksum" };
	u64 checked = 0, bad = 0;

	for (u64 number = 0; number < dirty.pages; number++) {
		const u64 *page = page_words(number);
		u64 writes, wrong;

		/* The decrementer writes pages; each page is checked between two ticks. */
		irq_disable();
		writes = dirty.writes / dirty.pages + (number < dirty.writes % dirty.pages);
		wrong = writes ? page_check(page, number, writes) : 0;
		irq_enable();
		checked += writes != 0;
		if (wrong && ++bad <= BAD_SHOWN)
			print("bad page=%u addr=0x%x wrong=%s writes=%u found=%u\n", number, (u64)page, WHAT[wrong - 1], writes, page[WORD_WRITES]);
	}
	print("verify pages=%u writes=%u bad=%u\n", checked, dirty.writes, bad);
	return bad;
}
