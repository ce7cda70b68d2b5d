/*
 * Varints of protobuf, https://protobuf.dev/programming-guides/encoding: one, or a packed list.
 *
 * A list is read in windows of 64 octets. A bit for each octet says whether a number ends there;
 * eight of these bits choose, from a table, where each octet of the next numbers goes, as in
 * Plaisance, Kurz and Lemire, "Vectorized VByte Decoding", 2015. The vectors are those of GCC, so
 * the same source does for all processors; FP_ONE_BY_ONE, and other compilers, do without.
 */
#ifndef FP_VARINTS_H
#define FP_VARINTS_H

#include <stdint.h>
#include <string.h>

enum { CORRUPT = -1, VARINT_BITS_MAX = 70 };

static const uint64_t ENDS = UINT64_C(0x8080808080808080);

typedef struct {
    const uint8_t *start, *stop;
} Span;

static int read_varint(Span *rest, uint64_t *value) {
    const uint8_t *at = rest->start;
    uint64_t found = 0;
    for (int shift = 0; shift < VARINT_BITS_MAX && at < rest->stop; shift += 7) {
        uint8_t octet = *at++;
        found |= (uint64_t)(octet & 0x7F) << shift;
        if (octet < 0x80) {
            rest->start = at;
            *value = found;
            return 1;
        }
    }
    return 0;
}

/* Drop the top bit of each of eight octets and close the gaps. */
static uint64_t without_top_bits(uint64_t octets) {
    octets &= ~ENDS;
    octets = (octets & UINT64_C(0x007F007F007F007F)) | (octets & UINT64_C(0x7F007F007F007F00)) >> 1;
    octets = (octets & UINT64_C(0x00003FFF00003FFF)) | (octets & UINT64_C(0x3FFF00003FFF0000)) >> 2;
    return (octets & UINT64_C(0x0FFFFFFF)) | (octets & UINT64_C(0x0FFFFFFF00000000)) >> 4;
}

/* The same of at most four octets, which most numbers have. */
static uint64_t without_few_top_bits(uint64_t octets) {
    return (octets & 0x7F) | (octets >> 1 & 0x3F80) | (octets >> 2 & 0x1FC000) |
           (octets >> 3 & 0xFE00000);
}

/* A bit for each of up to 64 octets: whether a number ends in it. 64 can be read. */
static uint64_t find_ends(const uint8_t *at, int64_t octets) {
    uint64_t ends = 0;
    for (int place = 0; place < 8; place++) {
        uint64_t word;
        memcpy(&word, at + 8 * place, 8);
        ends |= ((~word & ENDS) >> 7) * UINT64_C(0x0102040810204080) >> 56 << 8 * place;
    }
    return octets < 64 ? ends & ((UINT64_C(1) << octets) - 1) : ends;
}

/* ---- several at once: those that end within eight octets ---- */

#if defined(__GNUC__) && !defined(__clang__) && !defined(FP_ONE_BY_ONE)
enum { BLOCK_OCTETS = 8, BLOCK_READS = 16, LANE_OCTETS = 4 };

typedef uint8_t Octets __attribute__((vector_size(16)));
typedef uint32_t Lanes __attribute__((vector_size(16)));

typedef struct {
    Octets from[2], kept[2]; /* for each octet of eight lanes, which it is, and 0x7F if it is one */
} Block;

/* By where numbers end in eight octets, a bit for each. */
static Block blocks[256];
static struct {
    uint8_t octets, numbers; /* that it decodes: up to the first number too long for a lane */
} block_sizes[256];

/* Once, when the library is loaded. */
__attribute__((constructor)) static void lay_blocks(void) {
    for (int ends = 0; ends < 256; ends++) {
        int octet = 0, lane = 0;
        for (int last; ends >> octet; lane++) {
            last = octet + __builtin_ctz((unsigned)ends >> octet);
            if (last - octet >= LANE_OCTETS) break;
            for (int place = lane % 4 * LANE_OCTETS; octet <= last; octet++, place++) {
                blocks[ends].from[lane / 4][place] = (uint8_t)octet;
                blocks[ends].kept[lane / 4][place] = 0x7F;
            }
        }
        block_sizes[ends].octets = (uint8_t)octet;
        block_sizes[ends].numbers = (uint8_t)lane;
    }
}

/* Four numbers of at most four octets, of which each is in a lane of its own then. */
static void put_lanes(Octets octets, const Block *block, int half, uint64_t *numbers) {
    Lanes found = (Lanes)(__builtin_shuffle(octets, block->from[half]) & block->kept[half]);
    Lanes none = {0}, low, high;
    found = (found & 0x007F007F) | (found >> 1 & 0x3F803F80);
    found = (found & 0x3FFF) | (found >> 2 & 0x0FFFC000);
    low = __builtin_shuffle(found, none, (Lanes){0, 4, 1, 4});
    high = __builtin_shuffle(found, none, (Lanes){2, 4, 3, 4});
    memcpy(numbers, &low, sizeof low);
    memcpy(numbers + 2, &high, sizeof high);
}

/* Decode as long as eight octets are left, because a block writes eight numbers, used or not, and
 * there is room for one of each octet. Stops before a number too long for a lane; returns where. */
static int read_blocks(const uint8_t *at, int64_t octets, uint64_t ends, uint64_t **numbers) {
    int from = 0;
    while (from <= 64 - BLOCK_OCTETS && octets - from >= BLOCK_OCTETS) {
        int pattern = (int)(ends >> from & 0xFF);
        Octets found;
        if (!block_sizes[pattern].numbers) break;
        memcpy(&found, at + from, sizeof found);
        put_lanes(found, &blocks[pattern], 0, *numbers);
        put_lanes(found, &blocks[pattern], 1, *numbers + 4);
        *numbers += block_sizes[pattern].numbers;
        from += block_sizes[pattern].octets;
    }
    return from;
}
#else
enum { BLOCK_READS = 8 };

static int read_blocks(const uint8_t *at, int64_t octets, uint64_t ends, uint64_t **numbers) {
    (void)at, (void)octets, (void)ends, (void)numbers;
    return 0;
}
#endif

/* Read packed varints; `numbers` has room for one of each octet, and up to `readable` more octets
 * can be looked at, though they are not of the list: blocks of 64 are cheap, numbers are not. */
static int64_t read_packed(Span rest, const uint8_t *readable, uint64_t *numbers) {
    uint64_t *next = numbers;
    while (rest.start < rest.stop && readable - rest.start >= 64 + BLOCK_READS) {
        uint64_t ends = find_ends(rest.start, rest.stop - rest.start);
        int from = read_blocks(rest.start, rest.stop - rest.start, ends, &next);
        if (ends == 0 && !read_varint(&rest, next++)) return CORRUPT;
        for (ends = from < 64 ? ends >> from << from : 0; ends; ends &= ends - 1) {
            int to = __builtin_ctzll(ends) + 1, octets = to - from;
            uint64_t word;
            memcpy(&word, rest.start + from, 8);
            if (octets <= 4) {
                word &= (UINT64_C(1) << 8 * octets) - 1;
                *next++ = without_few_top_bits(word);
            } else if (octets <= 8) {
                *next++ = without_top_bits(word & ~UINT64_C(0) >> (64 - 8 * octets));
            } else {
                Span one = {rest.start + from, rest.start + to};
                if (!read_varint(&one, next++) || one.start != one.stop) return CORRUPT;
            }
            from = to;
        }
        rest.start += from;
    }
    while (rest.start < rest.stop)
        if (!read_varint(&rest, next++)) return CORRUPT;
    return next - numbers;
}

#endif
