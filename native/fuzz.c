/*
 * Damaged rows and damaged tiles, under the compiler's checks of memory and arithmetic: a test
 * builds this with -fsanitize=address,undefined. Every buffer is as long as the core is told and no
 * longer, so that a look behind its end is noticed. Arguments: how many rounds, and the seed.
 */
#include "tiles.c"

#include <stdio.h>
#include <stdlib.h>

enum { COUNTERS = 12, ADDITIVE = 9, FEATURES = 3, LEVELS = 3, BYTES_MAX = 400, FOUND = 64 };

static uint64_t state;

static uint64_t draw(uint64_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

static uint8_t *varint(uint8_t *at, uint64_t value) {
    for (; value > 127; value >>= 7) *at++ = (uint8_t)(value | 128);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *message(uint8_t *at, int number, const uint8_t *content, int64_t bytes) {
    at = varint(varint(at, (uint64_t)number << 3 | LENGTH), (uint64_t)bytes);
    memcpy(at, content, (size_t)bytes);
    return at + bytes;
}

static uint8_t *draw_row(uint8_t *at) {
    uint8_t ids[64], counters[256], *id = ids, *counter = counters;
    for (uint64_t key = 0; key < COUNTERS; key++) {
        if (draw(3) == 0) continue;
        id = varint(id, key);
        counter = varint(counter, draw(UINT64_MAX) >> draw(64));
    }
    at = message(at, 2, ids, id - ids);
    at = message(at, 3, counters, counter - counters);
    uint8_t feature[] = {8, 1, 18, 3, 1, 2, 3};
    return draw(2) ? message(at, 1, feature, sizeof feature) : at;
}

static uint8_t *draw_head(uint8_t *at) {
    for (uint64_t tiles = draw(4); tiles > 0; tiles--) {
        uint8_t row[BYTES_MAX], tile[BYTES_MAX + 32], *end = varint(tile, 8);
        end = varint(varint(varint(end, draw(5) * 2), 16), draw(9) * 120000);
        end = message(end, 3, row, draw_row(row) - row);
        at = message(at, 1, tile, end - tile);
    }
    return at;
}

/* A copy that ends where its memory does, with a few octets changed, or cut short. */
static uint8_t *damaged(const uint8_t *from, int64_t *bytes) {
    if (draw(4) == 0) *bytes = (int64_t)draw((uint64_t)*bytes + 1);
    uint8_t *copy = malloc((size_t)*bytes + (*bytes == 0));
    memcpy(copy, from, (size_t)*bytes);
    for (uint64_t changes = *bytes ? draw(4) : 0; changes > 0; changes--)
        copy[draw((uint64_t)*bytes)] = (uint8_t)draw(256);
    return copy;
}

static const int64_t level_ms[LEVELS] = {60000, 300000, 1800000}, level_back_ms[LEVELS] = {120000};

static void add(const uint8_t *arena, int64_t bytes, int64_t pieces[5][1]) {
    int64_t keys[] = {0, (INT64_C(60000) << LEVEL_BITS), 1}, key_windows[] = {0, 1, 3, 4};
    int32_t windows[] = {0, 0, 1, 1}, lifetime[] = {2}, table[16];
    int32_t out_windows[] = {0, 1, 2}, out_slots[] = {0, ADDITIVE, COUNTERS - 1};
    uint64_t sums[3 * COUNTERS];
    uint8_t seen[3 * COUNTERS], present[3], smallest[COUNTERS] = {0};
    int64_t out[3], entities[FOUND], starts[FOUND], stops[FOUND];
    AddRequest request = {
        arena, bytes, pieces[0], pieces[1], pieces[2], pieces[3], pieces[4], 1, level_ms,
        level_back_ms, LEVELS, ADDITIVE, COUNTERS, smallest, keys, key_windows, windows, 3, 3,
        LEVELS, lifetime, 1, table, 4, sums, seen, out_windows, out_slots, 3, out, present};
    FindRequest find = {1, 2, entities, starts, stops, FOUND};
    fp_add(&request);
    fp_find(&request, &find);
    int64_t heads[LEVELS + 1], closed[LEVELS + 1];
    for (int64_t slot = -1; slot <= ADDITIVE; slot++) {
        CensusRequest census = {slot, heads, closed};
        fp_census(&request, &census);
    }
}

static void round_of(void) {
    uint8_t made[8 * BYTES_MAX], *end = made;
    int64_t starts[3], stops[3], levels[3], starts_ms[3], entity_rows[2] = {0, 3};
    for (int row = 0; row < 3; row++) {
        starts[row] = end - made;
        levels[row] = row ? (int64_t)draw(4) : HEAD_LEVEL;
        starts_ms[row] = (int64_t)draw(9) * 60000;
        end = row ? draw_row(end) : draw_head(end);
        stops[row] = end - made;
    }
    int64_t bytes = end - made, pieces[5][1];
    uint8_t *rows = damaged(made, &bytes);
    for (int row = 0; row < 3; row++) {
        starts[row] = starts[row] < bytes ? starts[row] : bytes;
        stops[row] = stops[row] < bytes ? stops[row] : bytes;
    }
    int32_t slots[COUNTERS], lines[FEATURES] = {0, 1, 2};
    for (int32_t slot = 0; slot < COUNTERS; slot++) slots[slot] = slot;
    int64_t room = bytes, space = (int64_t)draw(1500);
    uint64_t *numbers = malloc((size_t)room * 8 + 1);
    int32_t *row_slots = malloc((size_t)room * 4 + 1);
    uint8_t *arena = malloc((size_t)space + 1);
    DecodeRequest request = {
        rows, bytes, starts, stops, levels, starts_ms, entity_rows, 1, level_ms, level_back_ms,
        LEVELS, 0, slots, lines, COUNTERS, FEATURES, ADDITIVE, COUNTERS, numbers, row_slots, room,
        arena, space, pieces[0], pieces[1], pieces[2], pieces[3], pieces[4], 0, 0};
    if (fp_decode(&request) == 0) {
        int64_t used = request.used;
        add(arena, used, pieces);
        uint8_t *tiles = damaged(arena, &used);
        add(tiles, used, pieces);
        free(tiles);
    }
    free(arena), free(row_slots), free(numbers), free(rows);
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    state = strtoull(arguments[2], 0, 10) * 2 + 1;
    for (long rounds = strtol(arguments[1], 0, 10); rounds > 0; rounds--) round_of();
    puts("no harm");
    return 0;
}
