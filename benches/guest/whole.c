/* A whole program of mixed work, each part small: a list is searched, turned and sorted; a matrix is worked on; text goes through a machine
 * of states; everything ends in a checksum that the next round starts from. */
#include "bench.h"

struct node {
	struct node *next;
	int16_t key, value;
};

enum { NODES = 300, SIDE = 12, TEXT = 600 };
static struct node pool[NODES];
static int32_t left[SIDE][SIDE], right[SIDE][SIDE], product[SIDE][SIDE];
static char text[TEXT + 1];

static struct node *build(uint64_t *state)
{
	struct node *head = NULL;

	for (int i = 0; i < NODES; i++) {
		pool[i] = (struct node){ head, next(state) & 0x7ff, i };
		head = &pool[i];
	}
	return head;
}

static struct node *search(struct node *n, int16_t key)
{
	while (n && n->key != key)
		n = n->next;
	return n;
}

static struct node *reverse(struct node *n)
{
	struct node *back = NULL;

	while (n) {
		struct node *after = n->next;

		n->next = back;
		back = n;
		n = after;
	}
	return back;
}

static int by_key(const struct node *a, const struct node *b)
{
	return a->key - b->key;
}

static int by_value(const struct node *a, const struct node *b)
{
	return a->value - b->value;
}

/* Merge sort of a list, halves found by a fast and a slow walker. */
static struct node *sorted(struct node *n, int (*order)(const struct node *, const struct node *))
{
	if (!n || !n->next)
		return n;
	struct node *slow = n, *fast = n->next;

	while (fast && fast->next) {
		slow = slow->next;
		fast = fast->next->next;
	}
	struct node *b = slow->next, *a, first, *tail = &first;

	slow->next = NULL;
	a = sorted(n, order);
	b = sorted(b, order);
	while (a && b) {
		struct node **least = order(a, b) <= 0 ? &a : &b;

		tail = tail->next = *least;
		*least = (*least)->next;
	}
	tail->next = a ? a : b;
	return first.next;
}

static uint64_t lists(uint64_t sum)
{
	uint64_t state = sum;
	struct node *head = build(&state);
	uint64_t found = 0;

	for (int i = 0; i < 12; i++) {
		struct node *hit = search(head, next(&state) & 0x7ff);

		found += hit ? hit->value : -1;
		head = reverse(head);
	}
	head = sorted(head, by_key);
	for (struct node *n = head; n; n = n->next)
		found = found * 31 + n->key;
	head = sorted(head, by_value);
	return mix(sum, found + head->value);
}

static uint64_t matrices(uint64_t sum)
{
	uint64_t state = sum, total = 0;

	for (int i = 0; i < SIDE; i++)
		for (int j = 0; j < SIDE; j++) {
			left[i][j] = (int16_t)next(&state);
			right[i][j] = (int16_t)(state >> 17);
		}
	for (int i = 0; i < SIDE; i++)
		for (int j = 0; j < SIDE; j++) {
			uint32_t s = 0;

			for (int k = 0; k < SIDE; k++)
				s += (uint32_t)left[i][k] * right[k][j];
			product[i][j] = (int32_t)s;
		}
	for (int i = 0; i < SIDE; i++)
		for (int j = 0; j < SIDE; j++) {
			int32_t bits = (product[i][j] >> 3 & 0x0f) * (product[i][j] >> 5 & 0x7f);

			total += bits > 300 ? (uint32_t)bits : (uint32_t)product[j][i] & 0xff;
		}
	return mix(sum, total);
}

/* Numbers in a text: integers, decimals, with exponents, hexadecimal, and what is none. */
enum state { START, SIGN, WHOLE, DOT, FRACTION, LETTER_E, EXPONENT, ZERO, HEX, WRONG, STATES };

static enum state step(enum state s, char c)
{
	int digit = c >= '0' && c <= '9';

	switch (s) {
	case START:
		return c == '+' || c == '-' ? SIGN : c == '0' ? ZERO : digit ? WHOLE : c == '.' ? DOT : WRONG;
	case SIGN:
		return digit ? WHOLE : c == '.' ? DOT : WRONG;
	case ZERO:
		if (c == 'x')
			return HEX;
		/* fall through */
	case WHOLE:
		return digit ? WHOLE : c == '.' ? FRACTION : c == 'e' ? LETTER_E : WRONG;
	case DOT:
	case FRACTION:
		return digit ? FRACTION : c == 'e' && s == FRACTION ? LETTER_E : WRONG;
	case LETTER_E:
		return digit || c == '-' ? EXPONENT : WRONG;
	case EXPONENT:
		return digit ? EXPONENT : WRONG;
	case HEX:
		return digit || (c >= 'a' && c <= 'f') ? HEX : WRONG;
	default:
		return WRONG;
	}
}

static uint64_t texts(uint64_t sum)
{
	static const char letters[] = "0123456789+-.exf ";
	uint64_t state = sum, counts[STATES] = { 0 };

	for (int i = 0; i < TEXT; i++)
		text[i] = i % 7 == 6 ? ' ' : letters[next(&state) % (sizeof letters - 1)];
	for (const char *p = text; *p;) {
		enum state s = START;

		while (*p && *p != ' ')
			s = step(s, *p++);
		counts[s]++;
		while (*p == ' ')
			p++;
	}
	for (int s = 0; s < STATES; s++)
		sum = mix(sum, counts[s]);
	return sum;
}

static uint16_t crc16(uint64_t v, uint16_t crc)
{
	for (int i = 0; i < 64; i++) {
		int bit = (crc ^ v) & 1;

		crc >>= 1;
		if (bit)
			crc ^= 0xa001;
		v >>= 1;
	}
	return crc;
}

static uint64_t whole(uint64_t rounds)
{
	uint64_t sum = 0x1234;
	uint16_t crc = 0xffff;

	while (rounds--) {
		sum = lists(sum);
		sum = matrices(sum);
		sum = texts(sum);
		crc = crc16(sum, crc);
		sum += crc;
	}
	return sum;
}

const struct row whole_rows[] = { { "whole", whole }, { NULL, NULL } };
