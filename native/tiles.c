/*
 * Rows of the store into compact tiles, and compact tiles into sums: the compiled half of serving.
 * Hot path. It knows bytes and numbers only; feature_platform/serving/compact.py is its caller,
 * and feature_platform/serving/tiles.py says the same in numpy, which is the reference.
 *
 * Rules:
 *   1. Rows are hostile: whatever they hold, the outcome is tiles or CORRUPT. Nothing is read at or
 *      behind the end of the buffer, no value is taken
 *      from behind its message, and nothing is written without a look at the room that is left.
 *   2. CORRUPT names no reason. The caller decodes the same rows by the reference, which does.
 *   3. No state but constants, no allocation: the caller brings all memory, so calls may run in
 *      parallel.
 *   4. All sums wrap as int64 does, by unsigned arithmetic.
 *
 * A compact tile, everything little-endian and unaligned:
 *
 *   int64    key: start_ms * 64 + level
 *   uint8    form: bits 0-2 bytes of a base value (0: no base), bits 3-6 which lists are there,
 *            bit 7 whether features are
 *   count    of each list that is there; one byte, two where there are more than 255 slots
 *   values   the base: one value for each additive slot, 0 where there is none
 *   lists    by width 1, 2, 4, 8 bytes: slots (each as wide as a count), then their values; what the
 *            base has no room for, all minima and maxima, and everything where there is no base
 *   uint32   bytes of the features that follow, each: uint16 line, uint32 length, encoded value
 *
 * Few values are kept as lists, many as a base with lists of its exceptions, whichever is smaller
 * when a list's entry counts two bytes more than it takes, because it is slower to add.
 */
#include <stdint.h>
#include <string.h>

#include "varints.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "compact tiles are little-endian, and so is what reads them"
#endif

#if defined(__x86_64__) && defined(__linux__) && !defined(FP_PLAIN)
/* Once for every processor, once for those since 2013, which is chosen when the library is loaded;
 * what is called from there is part of it. */
#define EVERY_PROCESSOR __attribute__((target_clones("arch=x86-64-v3", "default"), flatten))
#else
#define EVERY_PROCESSOR
#endif

#define EXPORTED __attribute__((visibility("default")))
#define INTERFACE 3 /* grows with every change that the caller must know of */

enum { FULL = -2, REFUSED = -3 }; /* and CORRUPT */
enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };
enum { LEVEL_BITS = 6, LEVEL_MAX = 63, HEAD_LEVEL = -1, CLASSES = 4 };
enum { FEATURES_BIT = 0x80, ENTRY_HEAD = 6, LIST_COST = 2 };
enum { LINE_BYTES = 64, FETCHED_MAX = 4096 }; /* of a processor's cache; of a piece, ahead of use */

static const int64_t START_MS_MAX = INT64_C(1) << 53;
static const int64_t KEY_START_MS_MAX = INT64_C(1) << 56;
static const uint64_t ID_MAX = 0xFFFFFFFF;

/* ---- what the caller hands over; compact.py has the same fields in the same order ---- */

typedef struct {
    const uint8_t *buffer;
    int64_t buffer_bytes;
    const int64_t *row_starts, *row_stops, *row_levels, *row_starts_ms;
    const int64_t *entity_rows; /* entities + 1 places in the rows */
    int64_t entities;
    const int64_t *level_ms, *level_back_ms; /* length; how much older a head's oldest slot is */
    int64_t levels, finest;                  /* finest used level, -1 for none */
    const int32_t *slot_by_id, *line_by_id;  /* of counters and of features; -1: not wanted */
    int64_t counter_ids, feature_ids;        /* lengths of the two */
    int64_t additive, slots;                 /* additive slots come first */
    uint64_t *numbers;                       /* scratch, `room` each */
    int32_t *row_slots;
    int64_t room; /* at least the longest payload's bytes */
    uint8_t *arena;
    int64_t arena_bytes;
    int64_t *head_starts, *head_stops, *closed_starts, *closed_stops, *newest_ms; /* by entity */
    int64_t used, tiles;                                                          /* the outcome */
} DecodeRequest;

typedef struct {
    const uint8_t *arena;
    int64_t arena_bytes;
    const int64_t *head_starts, *head_stops, *closed_starts, *closed_stops, *newest_ms;
    int64_t entities;
    const int64_t *level_ms, *level_back_ms;
    int64_t levels;
    int64_t additive, slots;
    const uint8_t *smallest;     /* by slot: whether it is a minimum */
    const int64_t *keys;         /* of all covers */
    const int64_t *key_windows;  /* by key, where its windows begin in `windows_of` */
    const int32_t *windows_of;
    int64_t key_count, windows;
    int64_t lifetime_level;
    const int32_t *lifetime_windows; /* the window of lifetime, if it is wanted */
    int64_t lifetime_count;
    int32_t *table; /* scratch: a power of two of places, more than twice the keys */
    int64_t table_bits;
    uint64_t *sums; /* scratch: windows x slots */
    uint8_t *seen;  /* scratch: windows x slots */
    const int32_t *out_windows, *out_slots;
    int64_t outs;
    int64_t *out; /* entities x outs */
    uint8_t *present;
} AddRequest;

typedef struct {
    int64_t line, window;
    int64_t *entities, *starts, *stops; /* the outcome, `room` each */
    int64_t room;
} FindRequest;

typedef struct {
    int64_t slot;           /* an additive one */
    int64_t *head, *closed; /* the outcome: a sum for each entity and level, lifetime's last */
} CensusRequest;

/* ---- the wire ---- */

typedef struct {
    uint64_t number, varint;
    int wire;
    Span content;
} Field;

static int take(Span *rest, uint64_t bytes, Span *taken) {
    if (bytes > (uint64_t)(rest->stop - rest->start)) return 0;
    taken->start = rest->start;
    taken->stop = rest->start += bytes;
    return 1;
}

static int read_field(Span *rest, Field *field) {
    uint64_t tag;
    if (!read_varint(rest, &tag) || tag > 0xFFFFFFFF || tag >> 3 == 0) return 0;
    field->number = tag >> 3;
    field->varint = 0;
    field->wire = (int)(tag & 7);
    switch (field->wire) {
    case VARINT:
        return read_varint(rest, &field->varint);
    case LENGTH:
        return read_varint(rest, &field->varint) && take(rest, field->varint, &field->content);
    case FIXED64:
        return take(rest, 8, &field->content);
    case FIXED32:
        return take(rest, 4, &field->content);
    default:
        return 0;
    }
}

static int64_t zigzag(uint64_t raw) { return (int64_t)((raw >> 1) ^ (0 - (raw & 1))); }

/* ---- a row ---- */

typedef struct {
    DecodeRequest *request;
    Span ids; /* of the row before: most rows have the same */
    int64_t count;
    int straight; /* all its counters are wanted, additive, and in the order of slots */
    int64_t used;
} Decoder;

typedef struct {
    Span ids, counters;
    uint64_t feature_bytes; /* of those wanted, as they are kept */
    Span all;
} Row;

/* The key of a map's entry and its value; both once. */
static int read_entry(Span entry, uint64_t *id, Span *value) {
    int ids = 0, values = 0;
    Field field;
    while (entry.start < entry.stop) {
        if (!read_field(&entry, &field)) return 0;
        if (field.number == 1) {
            if (field.wire != VARINT || ids++) return 0;
            *id = field.varint;
        } else if (field.number == 2) {
            if (field.wire != LENGTH || values++) return 0;
            *value = field.content;
        }
    }
    return ids && values && *id <= ID_MAX;
}

static int32_t line_of(const DecodeRequest *request, uint64_t id) {
    return id < (uint64_t)request->feature_ids ? request->line_by_id[id] : -1;
}

static int read_row(const DecodeRequest *request, Span all, Row *row) {
    int ids = 0, counters = 0, features = 0;
    uint64_t id, last = 0;
    Span rest = all, value;
    Field field;
    memset(row, 0, sizeof *row);
    row->all = all;
    while (rest.start < rest.stop) {
        if (!read_field(&rest, &field)) return 0;
        if (field.number > 3) continue;
        if (field.wire != LENGTH) return 0;
        if (field.number == 2) {
            if (ids++) return 0;
            row->ids = field.content;
        } else if (field.number == 3) {
            if (counters++) return 0;
            row->counters = field.content;
        } else {
            if (!read_entry(field.content, &id, &value) || (features++ && id <= last)) return 0;
            last = id;
            if (line_of(request, id) >= 0)
                row->feature_bytes += ENTRY_HEAD + (uint64_t)(value.stop - value.start);
        }
    }
    return 1;
}

static const uint8_t *readable(const DecodeRequest *request) {
    return request->buffer + request->buffer_bytes;
}

/* Turn a row's counter ids into slots, unless they are those of the row before. */
static int learn_ids(Decoder *decoder, Span ids) {
    DecodeRequest *request = decoder->request;
    int64_t bytes = ids.stop - ids.start;
    if (bytes == decoder->ids.stop - decoder->ids.start &&
        (bytes == 0 || memcmp(ids.start, decoder->ids.start, (size_t)bytes) == 0))
        return 1;
    decoder->ids.start = decoder->ids.stop = 0; /* its slots are overwritten, even if this fails */
    decoder->count = 0;
    int64_t count = bytes > request->room ? CORRUPT : read_packed(ids, readable(request), request->numbers);
    if (count < 0) return 0;
    decoder->straight = count <= request->additive;
    for (int64_t place = 0; place < count; place++) {
        uint64_t id = request->numbers[place];
        if (id > ID_MAX || (place && id <= request->numbers[place - 1])) return 0;
        int32_t slot = id < (uint64_t)request->counter_ids ? request->slot_by_id[id] : -1;
        request->row_slots[place] = slot;
        decoder->straight &= slot == place;
    }
    decoder->ids = ids;
    decoder->count = count;
    return 1;
}

/* ---- a compact tile is written ---- */

/* How wide the number is, as a class: 1 << class bytes hold it. Of the zigzag form. */
static int class_of(uint64_t raw) {
    return (raw > 0xFF) + (raw > 0xFFFF) + (raw > 0xFFFFFFFF);
}

typedef struct {
    int64_t additive[CLASSES], extreme[CLASSES]; /* how many of each class */
} Census;

static void count_straight(const uint64_t *numbers, int64_t count, Census *census) {
    int64_t there = 0, over[CLASSES - 1] = {0, 0, 0};
    for (int64_t place = 0; place < count; place++) {
        there += numbers[place] != 0;
        over[0] += numbers[place] > 0xFF;
        over[1] += numbers[place] > 0xFFFF;
        over[2] += numbers[place] > 0xFFFFFFFF;
    }
    census->additive[0] = there - over[0];
    census->additive[1] = over[0] - over[1];
    census->additive[2] = over[1] - over[2];
    census->additive[3] = over[2];
}

static void count_slots(const Decoder *decoder, Census *census) {
    const DecodeRequest *request = decoder->request;
    for (int64_t place = 0; place < decoder->count; place++) {
        int32_t slot = request->row_slots[place];
        uint64_t raw = request->numbers[place];
        if (slot < 0) continue;
        if (slot >= request->additive) {
            census->extreme[class_of(raw)]++;
        } else {
            census->additive[class_of(raw)] += raw != 0;
        }
    }
}

static int64_t slot_bytes(int64_t slots) { return slots > 255 ? 2 : 1; }

/* The class of base that is cheapest; -1 where lists alone are. */
static int choose_base(const Census *census, int64_t additive, int64_t slot_width) {
    int best = -1;
    int64_t least = 0;
    for (int base = -1; base < CLASSES; base++) {
        int64_t cost = base < 0 ? 0 : additive << base;
        for (int class = base + 1; class < CLASSES; class++)
            cost += census->additive[class] * (slot_width + (1 << class) + LIST_COST);
        if (base < 0 || cost < least) {
            best = base;
            least = cost;
        }
    }
    return best;
}

/* Copies of a fixed size are one instruction each; of a variable size they are a call. */
static void put(uint8_t *at, int64_t value, int class) {
    switch (class) {
    case 0:
        *at = (uint8_t)value;
        break;
    case 1:
        memcpy(at, &value, 2);
        break;
    case 2:
        memcpy(at, &value, 4);
        break;
    default:
        memcpy(at, &value, 8);
    }
}

/* What is stored where it does not begin at a multiple of its size. */
typedef uint16_t __attribute__((aligned(1), may_alias)) Loose16;
typedef uint32_t __attribute__((aligned(1), may_alias)) Loose32;
typedef uint64_t __attribute__((aligned(1), may_alias)) Loose64;

/* The value, or 0 where it is too wide; without a branch, so that compilers do several at once. */
static uint64_t fitting(uint64_t raw, uint64_t most) {
    return (uint64_t)zigzag(raw & (0 - (uint64_t)(raw <= most)));
}

/* The base of a row whose counters are in the order of slots; 0 for what does not fit. */
EVERY_PROCESSOR __attribute__((noinline)) static void put_straight(
    uint8_t *restrict at, const uint64_t *restrict numbers, int64_t count, int base) {
    if (base == 0) {
        for (int64_t place = 0; place < count; place++)
            at[place] = (uint8_t)fitting(numbers[place], 0xFF);
    } else if (base == 1) {
        for (int64_t place = 0; place < count; place++)
            ((Loose16 *)at)[place] = (uint16_t)fitting(numbers[place], 0xFFFF);
    } else if (base == 2) {
        for (int64_t place = 0; place < count; place++)
            ((Loose32 *)at)[place] = (uint32_t)fitting(numbers[place], 0xFFFFFFFF);
    } else {
        for (int64_t place = 0; place < count; place++)
            ((Loose64 *)at)[place] = (uint64_t)zigzag(numbers[place]);
    }
}

typedef struct {
    uint8_t *slots[CLASSES], *values[CLASSES];
} Lists;

static void put_listed(Lists *lists, int32_t slot, uint64_t raw, int64_t slot_width) {
    int class = class_of(raw);
    if (slot_width == 1) {
        *lists->slots[class] = (uint8_t)slot;
    } else {
        memcpy(lists->slots[class], &slot, 2);
    }
    lists->slots[class] += slot_width;
    put(lists->values[class], zigzag(raw), class);
    lists->values[class] += 1 << class;
}

/* List what the base of a straight row has no room for. */
static void put_exceptions(
    const Decoder *decoder, uint64_t most, Lists *lists, int64_t slot_width) {
    const uint64_t *numbers = decoder->request->numbers;
    for (int64_t first = 0; first < decoder->count; first += 64) {
        int64_t stop = decoder->count - first < 64 ? decoder->count - first : 64;
        uint64_t over = 0;
        for (int64_t place = 0; place < stop; place++)
            over |= (uint64_t)(numbers[first + place] > most) << place;
        for (; over; over &= over - 1) {
            int64_t place = first + __builtin_ctzll(over);
            put_listed(lists, (int32_t)place, numbers[place], slot_width);
        }
    }
}

static void put_counters(
    const Decoder *decoder, uint8_t *base_at, int base, Lists *lists, int64_t slot_width,
    int any_listed) {
    const DecodeRequest *request = decoder->request;
    if (base >= 0) memset(base_at, 0, (size_t)(request->additive << base));
    if (base >= 0 && decoder->straight) {
        uint64_t most = base == 3 ? ~UINT64_C(0) : (UINT64_C(1) << (8 << base)) - 1;
        put_straight(base_at, request->numbers, decoder->count, base);
        if (any_listed) put_exceptions(decoder, most, lists, slot_width);
        return;
    }
    for (int64_t place = 0; place < decoder->count; place++) {
        int32_t slot = request->row_slots[place];
        uint64_t raw = request->numbers[place];
        if (slot < 0) continue;
        if (slot >= request->additive || class_of(raw) > base) {
            if (raw || slot >= request->additive) put_listed(lists, slot, raw, slot_width);
        } else {
            put(base_at + ((int64_t)slot << base), zigzag(raw), base);
        }
    }
}

/* The row is known to be well-formed, so its fields are there a second time. */
static void put_features(const DecodeRequest *request, const Row *row, uint8_t *at) {
    uint32_t bytes = (uint32_t)row->feature_bytes;
    memcpy(at, &bytes, 4);
    at += 4;
    Span rest = row->all, value = {0, 0};
    Field field;
    uint64_t id = 0;
    while (rest.start < rest.stop && read_field(&rest, &field)) {
        if (field.number != 1 || !read_entry(field.content, &id, &value)) continue;
        int32_t line = line_of(request, id);
        if (line < 0) continue;
        uint32_t length = (uint32_t)(value.stop - value.start);
        memcpy(at, &line, 2);
        memcpy(at + 2, &length, 4);
        if (length) memcpy(at + ENTRY_HEAD, value.start, length);
        at += ENTRY_HEAD + length;
    }
}

static int write_tile(Decoder *decoder, int64_t start_ms, int64_t level, Span bytes) {
    DecodeRequest *request = decoder->request;
    int64_t slot_width = slot_bytes(request->slots), listed = 0;
    Row row;
    Census census = {{0}, {0}};
    if (!read_row(request, bytes, &row) || !learn_ids(decoder, row.ids)) return CORRUPT;
    if (row.counters.stop - row.counters.start > request->room) return CORRUPT;
    if (read_packed(row.counters, readable(request), request->numbers) != decoder->count) return CORRUPT;
    if (row.feature_bytes > UINT32_MAX) return REFUSED;
    if (decoder->straight) {
        count_straight(request->numbers, decoder->count, &census);
    } else {
        count_slots(decoder, &census);
    }
    int base = choose_base(&census, request->additive, slot_width);
    int64_t base_bytes = base < 0 ? 0 : request->additive << base;
    uint8_t form = base < 0 ? 0 : (uint8_t)(1 << base >= 8 ? 4 : base + 1);
    int64_t counts[CLASSES], head_bytes = 9, list_bytes = 0;
    for (int class = 0; class < CLASSES; class++) {
        counts[class] = census.extreme[class] + (class > base ? census.additive[class] : 0);
        if (!counts[class]) continue;
        form |= (uint8_t)(8 << class);
        head_bytes += slot_width;
        list_bytes += counts[class] * (slot_width + (1 << class));
        listed += counts[class];
    }
    if (row.feature_bytes) form |= FEATURES_BIT;
    int64_t feature_bytes = row.feature_bytes ? 4 + (int64_t)row.feature_bytes : 0;
    int64_t size = head_bytes + base_bytes + list_bytes + feature_bytes;
    if (size > request->arena_bytes - decoder->used) return FULL;

    uint8_t *at = request->arena + decoder->used;
    int64_t key = (int64_t)(((uint64_t)start_ms << LEVEL_BITS) | (uint64_t)level);
    memcpy(at, &key, 8);
    at[8] = form;
    at += 9;
    for (int class = 0; class < CLASSES; class++) {
        if (!counts[class]) continue;
        memcpy(at, &counts[class], (size_t)slot_width);
        at += slot_width;
    }
    uint8_t *base_at = at;
    at += base_bytes;
    Lists lists;
    for (int class = 0; class < CLASSES; class++) {
        lists.slots[class] = at;
        lists.values[class] = at + counts[class] * slot_width;
        at += counts[class] * (slot_width + (1 << class));
    }
    put_counters(decoder, base_at, base, &lists, slot_width, listed > 0);
    if (row.feature_bytes) put_features(request, &row, at);
    decoder->used += size;
    request->tiles++;
    return 0;
}

/* ---- the rows of an entity ---- */

static int write_head_tile(Decoder *decoder, Span tile, int64_t *newest_ms) {
    DecodeRequest *request = decoder->request;
    int levels = 0, starts = 0, rows = 0;
    int64_t level = 0, start_ms = 0;
    Span row = {tile.stop, tile.stop};
    Field field;
    while (tile.start < tile.stop) {
        if (!read_field(&tile, &field)) return CORRUPT;
        if (field.number > 3) continue;
        if (field.wire != (field.number == 3 ? LENGTH : VARINT)) return CORRUPT;
        if (field.number == 1) {
            if (levels++) return CORRUPT;
            level = zigzag(field.varint);
        } else if (field.number == 2) {
            if (starts++) return CORRUPT;
            start_ms = zigzag(field.varint);
        } else {
            if (rows++) return CORRUPT;
            row = field.content;
        }
    }
    if (level < 0 || level > LEVEL_MAX || start_ms < -START_MS_MAX || start_ms > START_MS_MAX)
        return CORRUPT;
    if (level == request->finest && start_ms > *newest_ms) *newest_ms = start_ms;
    return write_tile(decoder, start_ms, level, row);
}

static int write_head(Decoder *decoder, Span head, int64_t *newest_ms) {
    Field field;
    while (head.start < head.stop) {
        if (!read_field(&head, &field)) return CORRUPT;
        if (field.number != 1) continue;
        if (field.wire != LENGTH) return CORRUPT;
        int outcome = write_head_tile(decoder, field.content, newest_ms);
        if (outcome < 0) return outcome;
    }
    return 0;
}

/* The start of the oldest slot of a head at this level. */
static int64_t oldest_ms(int64_t newest_ms, int64_t length_ms, int64_t back_ms) {
    int64_t past = newest_ms % length_ms;
    if (past < 0) past += length_ms;
    return (int64_t)((uint64_t)newest_ms - (uint64_t)past - (uint64_t)back_ms);
}

/* Whether a head with this newest tile holds the tile, so that a row of its own is a replay's. */
static int in_head(
    const int64_t *level_ms, const int64_t *level_back_ms, int64_t newest_ms, int64_t level,
    int64_t start_ms) {
    if (newest_ms == INT64_MIN) return 0;
    return start_ms >= oldest_ms(newest_ms, level_ms[level], level_back_ms[level]);
}

static int row_span(const DecodeRequest *request, int64_t row, Span *span) {
    int64_t start = request->row_starts[row], stop = request->row_stops[row];
    if (start < 0 || stop < start || stop > request->buffer_bytes) return 0;
    span->start = request->buffer + start;
    span->stop = request->buffer + stop;
    return 1;
}

static int write_closed(Decoder *decoder, int64_t row, int64_t newest_ms) {
    const DecodeRequest *request = decoder->request;
    int64_t level = request->row_levels[row], start_ms = request->row_starts_ms[row];
    Span span;
    if (level < 0 || level >= request->levels) return 0;
    if (in_head(request->level_ms, request->level_back_ms, newest_ms, level, start_ms)) return 0;
    if (start_ms < -KEY_START_MS_MAX || start_ms > KEY_START_MS_MAX) return REFUSED;
    if (!row_span(request, row, &span)) return REFUSED;
    return write_tile(decoder, start_ms, level, span);
}

static int write_entity(Decoder *decoder, int64_t entity) {
    DecodeRequest *request = decoder->request;
    int64_t first = request->entity_rows[entity], last = request->entity_rows[entity + 1];
    int64_t newest_ms = INT64_MIN;
    Span span;
    request->head_starts[entity] = decoder->used;
    for (int64_t row = first; row < last; row++) {
        if (request->row_levels[row] != HEAD_LEVEL) continue;
        if (!row_span(request, row, &span)) return REFUSED;
        int outcome = write_head(decoder, span, &newest_ms);
        if (outcome < 0) return outcome;
    }
    request->head_stops[entity] = request->closed_starts[entity] = decoder->used;
    request->newest_ms[entity] = newest_ms;
    for (int64_t row = first; row < last; row++) {
        int outcome = write_closed(decoder, row, newest_ms);
        if (outcome < 0) return outcome;
    }
    request->closed_stops[entity] = decoder->used;
    return 0;
}

EXPORTED int64_t fp_interface(void) { return INTERFACE; }

/* Bytes of the request, so that a caller with other fields is noticed before it harms. */
EXPORTED int64_t fp_request_bytes(void) {
    return (int64_t)(sizeof(DecodeRequest) + sizeof(AddRequest) + sizeof(FindRequest) +
                     sizeof(CensusRequest));
}

EVERY_PROCESSOR static int write_all(Decoder *decoder) {
    for (int64_t entity = 0; entity < decoder->request->entities; entity++) {
        int outcome = write_entity(decoder, entity);
        if (outcome < 0) return outcome;
    }
    return 0;
}

/* Decode rows: 0, or CORRUPT; FULL, to be called again with more room; REFUSED, never to be. */
EXPORTED int64_t fp_decode(DecodeRequest *request) {
    Decoder decoder = {request, {0, 0}, 0, 1, 0};
    request->tiles = 0;
    int outcome = write_all(&decoder);
    request->used = decoder.used;
    return outcome;
}

/* ---- adding up ---- */

typedef struct {
    int64_t key;
    int base; /* class, -1 for none */
    int64_t counts[CLASSES];
    const uint8_t *base_at, *lists_at;
    Span features;
} Tile;

static int read_tile(Span *rest, int64_t additive, int64_t slot_width, Tile *tile) {
    int64_t bytes = 0;
    Span head, base, lists, size;
    if (!take(rest, 9, &head)) return 0;
    memcpy(&tile->key, head.start, 8);
    uint8_t form = head.start[8];
    tile->base = (form & 7) - 1;
    if (tile->base >= CLASSES) return 0;
    for (int class = 0; class < CLASSES; class++) {
        tile->counts[class] = 0;
        if (!(form & 8 << class)) continue;
        if (!take(rest, (uint64_t)slot_width, &head)) return 0;
        memcpy(&tile->counts[class], head.start, (size_t)slot_width);
        bytes += tile->counts[class] * (slot_width + (1 << class));
    }
    if (!take(rest, tile->base < 0 ? 0 : (uint64_t)additive << tile->base, &base)) return 0;
    if (!take(rest, (uint64_t)bytes, &lists)) return 0;
    tile->base_at = base.start;
    tile->lists_at = lists.start;
    tile->features.start = tile->features.stop = rest->start;
    if (!(form & FEATURES_BIT)) return 1;
    uint32_t length;
    if (!take(rest, 4, &size)) return 0;
    memcpy(&length, size.start, 4);
    return take(rest, length, &tile->features);
}

static void add_base(
    uint64_t *restrict sums, const uint8_t *restrict base, int64_t count, int class) {
    if (class == 0) {
        for (int64_t slot = 0; slot < count; slot++)
            sums[slot] += (uint64_t)(int64_t)(int8_t)base[slot];
    } else if (class == 1) {
        for (int64_t slot = 0; slot < count; slot++) {
            int16_t value;
            memcpy(&value, base + 2 * slot, 2);
            sums[slot] += (uint64_t)(int64_t)value;
        }
    } else if (class == 2) {
        for (int64_t slot = 0; slot < count; slot++) {
            int32_t value;
            memcpy(&value, base + 4 * slot, 4);
            sums[slot] += (uint64_t)(int64_t)value;
        }
    } else {
        for (int64_t slot = 0; slot < count; slot++) {
            uint64_t value;
            memcpy(&value, base + 8 * slot, 8);
            sums[slot] += value;
        }
    }
}

static int64_t value_at(const uint8_t *at, int class) {
    int16_t two;
    int32_t four;
    int64_t eight;
    switch (class) {
    case 0:
        return (int8_t)*at;
    case 1:
        memcpy(&two, at, 2);
        return two;
    case 2:
        memcpy(&four, at, 4);
        return four;
    default:
        memcpy(&eight, at, 8);
        return eight;
    }
}

/* One list; the class is a constant wherever this is called. */
static inline int add_list(
    const AddRequest *request, const uint8_t *slots, int64_t count, int class, int64_t slot_width,
    uint64_t *restrict sums, uint8_t *restrict seen) {
    const uint8_t *values = slots + count * slot_width;
    for (int64_t place = 0; place < count; place++) {
        uint16_t slot = slots[place * slot_width];
        if (slot_width == 2) memcpy(&slot, slots + 2 * place, 2);
        if (slot >= request->slots) return 0;
        int64_t value = value_at(values + (place << class), class), before = (int64_t)sums[slot];
        if (slot < request->additive) {
            sums[slot] += (uint64_t)value;
        } else if (!seen[slot] || (request->smallest[slot] ? value < before : value > before)) {
            sums[slot] = (uint64_t)value;
            seen[slot] = 1;
        }
    }
    return 1;
}

static int add_lists(const AddRequest *request, const Tile *tile, int64_t window) {
    uint64_t *sums = request->sums + window * request->slots;
    uint8_t *seen = request->seen + window * request->slots;
    int64_t slot_width = slot_bytes(request->slots);
    const uint8_t *at = tile->lists_at;
    const int64_t *counts = tile->counts;
    if (counts[0] && !add_list(request, at, counts[0], 0, slot_width, sums, seen)) return 0;
    at += counts[0] * (slot_width + 1);
    if (counts[1] && !add_list(request, at, counts[1], 1, slot_width, sums, seen)) return 0;
    at += counts[1] * (slot_width + 2);
    if (counts[2] && !add_list(request, at, counts[2], 2, slot_width, sums, seen)) return 0;
    at += counts[2] * (slot_width + 4);
    return !counts[3] || add_list(request, at, counts[3], 3, slot_width, sums, seen);
}

static uint64_t place_of(int64_t key, int64_t bits) {
    return ((uint64_t)key * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - bits);
}

static void build_table(const AddRequest *request) {
    uint64_t mask = (UINT64_C(1) << request->table_bits) - 1;
    for (uint64_t place = 0; place <= mask; place++) request->table[place] = -1;
    for (int64_t index = 0; index < request->key_count; index++) {
        uint64_t place = place_of(request->keys[index], request->table_bits);
        while (request->table[place] >= 0) place = (place + 1) & mask;
        request->table[place] = (int32_t)index;
    }
}

/* The windows that a tile belongs to. */
static int64_t windows_of(const AddRequest *request, int64_t key, const int32_t **windows) {
    if ((key & LEVEL_MAX) == request->lifetime_level) {
        *windows = request->lifetime_windows;
        return request->lifetime_count;
    }
    uint64_t mask = (UINT64_C(1) << request->table_bits) - 1;
    uint64_t place = place_of(key, request->table_bits);
    for (int32_t index; (index = request->table[place]) >= 0; place = (place + 1) & mask) {
        if (request->keys[index] != key) continue;
        *windows = request->windows_of + request->key_windows[index];
        return request->key_windows[index + 1] - request->key_windows[index];
    }
    return 0;
}

static int entity_span(const AddRequest *request, int64_t entity, int closed, Span *span) {
    int64_t start = (closed ? request->closed_starts : request->head_starts)[entity];
    int64_t stop = (closed ? request->closed_stops : request->head_stops)[entity];
    if (start < 0 || stop < start || stop > request->arena_bytes) return 0;
    span->start = request->arena + start;
    span->stop = request->arena + stop;
    return 1;
}

/* The next tile of an entity and its windows; none for a closed tile that the head holds, too. */
static int next_tile(
    const AddRequest *request, int64_t entity, int closed, Span *rest, Tile *tile,
    const int32_t **windows, int64_t *count) {
    if (!read_tile(rest, request->additive, slot_bytes(request->slots), tile)) return 0;
    int64_t level = tile->key & LEVEL_MAX;
    *count = windows_of(request, tile->key, windows);
    if (*count && closed && level < request->levels &&
        in_head(request->level_ms, request->level_back_ms, request->newest_ms[entity], level,
                tile->key >> LEVEL_BITS))
        *count = 0;
    return 1;
}

EVERY_PROCESSOR static int add_entity(const AddRequest *request, int64_t entity) {
    const int32_t *windows = 0;
    int64_t count;
    Span rest;
    Tile tile;
    for (int closed = 0; closed < 2; closed++) {
        if (!entity_span(request, entity, closed, &rest)) return 0;
        while (rest.start < rest.stop) {
            if (!next_tile(request, entity, closed, &rest, &tile, &windows, &count)) return 0;
            for (int64_t place = 0; place < count; place++) {
                int64_t window = windows[place];
                uint64_t *sums = request->sums + window * request->slots;
                if (tile.base >= 0) add_base(sums, tile.base_at, request->additive, tile.base);
                if (!add_lists(request, &tile, window)) return 0;
            }
        }
    }
    return 1;
}

/* Hand out an entity's sums and extremes. */
static void put_out(
    const AddRequest *request, int64_t *restrict out, uint8_t *restrict present) {
    const uint64_t *restrict sums = request->sums;
    const uint8_t *restrict seen = request->seen;
    const int32_t *restrict windows = request->out_windows, *restrict wanted = request->out_slots;
    const int64_t outs = request->outs, slots = request->slots, additive = request->additive;
    for (int64_t index = 0; index < outs; index++)
        out[index] = (int64_t)sums[windows[index] * slots + wanted[index]];
    memset(present, 0, (size_t)outs);
    for (int64_t index = 0; slots > additive && index < outs; index++) {
        int64_t slot = wanted[index], cell = windows[index] * slots + slot;
        present[index] = seen[cell];
        if (slot >= additive && !seen[cell])
            out[index] = request->smallest[slot] ? INT64_MAX : INT64_MIN;
    }
}

/* Ask for an entity's tiles: pieces are anywhere in memory, and come while others are added up. */
static void fetch(const AddRequest *request, int64_t entity) {
    Span piece;
    if (entity >= request->entities) return;
    for (int closed = 0; closed < 2; closed++) {
        if (!entity_span(request, entity, closed, &piece)) return;
        if (piece.stop > piece.start + FETCHED_MAX) piece.stop = piece.start + FETCHED_MAX;
        for (; piece.start < piece.stop; piece.start += LINE_BYTES)
            __builtin_prefetch(piece.start);
    }
}

/* Add up all entities' tiles for all windows: 0, or CORRUPT if these are no compact tiles. */
EXPORTED int64_t fp_add(const AddRequest *request) {
    int64_t cells = request->windows * request->slots;
    build_table(request);
    for (int64_t entity = 0; entity < request->entities; entity++) {
        memset(request->sums, 0, (size_t)cells * sizeof *request->sums);
        memset(request->seen, 0, (size_t)cells);
        fetch(request, entity + 1);
        if (!add_entity(request, entity)) return CORRUPT;
        int64_t first = entity * request->outs;
        if (request->outs > 0) put_out(request, request->out + first, request->present + first);
    }
    return 0;
}

/* ---- features, which stay encoded ---- */

/* Look for a feature in a tile: 1 and its place, 0 if it is not there, CORRUPT. */
static int find_feature(Span features, int64_t line, Span *value) {
    while (features.start < features.stop) {
        Span head;
        uint16_t found;
        uint32_t length;
        if (!take(&features, ENTRY_HEAD, &head)) return CORRUPT;
        memcpy(&found, head.start, 2);
        memcpy(&length, head.start + 2, 4);
        if (!take(&features, length, value)) return CORRUPT;
        if (found == line) return 1;
    }
    return 0;
}

/* Find a feature in the tiles of a window, entity by entity: how many there are, or CORRUPT. */
EXPORTED int64_t fp_find(const AddRequest *request, FindRequest *find) {
    int64_t found = 0, count;
    const int32_t *windows = 0;
    Span rest, value;
    Tile tile;
    build_table(request);
    for (int64_t entity = 0; entity < request->entities; entity++) {
        for (int closed = 0; closed < 2; closed++) {
            if (!entity_span(request, entity, closed, &rest)) return CORRUPT;
            while (rest.start < rest.stop) {
                if (!next_tile(request, entity, closed, &rest, &tile, &windows, &count))
                    return CORRUPT;
                int member = 0;
                for (int64_t place = 0; place < count; place++)
                    member |= windows[place] == find->window;
                int there = member ? find_feature(tile.features, find->line, &value) : 0;
                if (there < 0 || (there && found == find->room)) return CORRUPT;
                if (!there) continue;
                find->entities[found] = entity;
                find->starts[found] = value.start - request->arena;
                find->stops[found++] = value.stop - request->arena;
            }
        }
    }
    return found;
}

/* ---- one counter of all tiles, by level ---- */

static uint64_t value_of(const Tile *tile, int64_t wanted, int64_t slot_width) {
    uint64_t found = 0;
    if (tile->base >= 0)
        found = (uint64_t)value_at(tile->base_at + (wanted << tile->base), tile->base);
    const uint8_t *slots = tile->lists_at;
    for (int class = 0; class < CLASSES; class++) {
        const uint8_t *values = slots + tile->counts[class] * slot_width;
        for (int64_t place = 0; place < tile->counts[class]; place++) {
            uint16_t slot = slots[place * slot_width];
            if (slot_width == 2) memcpy(&slot, slots + 2 * place, 2);
            if (slot == wanted) found += (uint64_t)value_at(values + (place << class), class);
        }
        slots = values + (tile->counts[class] << class);
    }
    return found;
}

/* Add up one counter over all tiles of each level, of the heads and of the closed tiles apart: 0,
 * or CORRUPT. */
EXPORTED int64_t fp_census(const AddRequest *request, const CensusRequest *census) {
    int64_t slot_width = slot_bytes(request->slots), levels = request->levels + 1;
    Span rest;
    Tile tile;
    if (census->slot < 0 || census->slot >= request->additive) return REFUSED;
    for (int64_t entity = 0; entity < request->entities; entity++) {
        for (int closed = 0; closed < 2; closed++) {
            int64_t *sums = (closed ? census->closed : census->head) + entity * levels;
            memset(sums, 0, (size_t)levels * sizeof *sums);
            if (!entity_span(request, entity, closed, &rest)) return CORRUPT;
            while (rest.start < rest.stop) {
                if (!read_tile(&rest, request->additive, slot_width, &tile)) return CORRUPT;
                int64_t level = tile.key & LEVEL_MAX;
                if (level >= levels) continue;
                sums[level] = (int64_t)((uint64_t)sums[level] + value_of(&tile, census->slot, slot_width));
            }
        }
    }
    return 0;
}
