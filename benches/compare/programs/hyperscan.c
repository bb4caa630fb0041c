/* Hyperscan in block mode, without start of match, on the patterns of the rules or on their keywords.
 *
 *   hyperscan compile PATTERNS DB      as `compare-sluice patterns` prints them; what does not compile is left out
 *   hyperscan literals KEYWORDS DB     as `compare-sluice keywords` prints them; ASCII letters in any case
 *   hyperscan DB files|each SECONDS BUNDLE...
 *
 * The last form takes and prints what native/src/lib.rs says. A match is counted for each end that Hyperscan
 * reports; nothing is validated, scored or built from it.
 *
 *   cc -O2 -o hyperscan programs/hyperscan.c $(pkg-config --cflags --libs libhs)
 */
#define _GNU_SOURCE
#include <hs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void fail(const char *what, const char *about) {
    fprintf(stderr, "hyperscan: %s: %s\n", what, about);
    exit(1);
}

static void *must(void *memory) {
    if (!memory) fail("malloc", "no memory");
    return memory;
}

static double seconds_of(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path, "cannot be read");
    fseek(file, 0, SEEK_END);
    *length = (size_t)ftell(file);
    rewind(file);
    char *bytes = must(malloc(*length + 1));
    if (fread(bytes, 1, *length, file) != *length) fail(path, "cannot be read");
    bytes[*length] = 0;
    fclose(file);
    return bytes;
}

/* Memory of this process at its peak, in bytes. */
static long peak_rss(void) {
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long kilobytes = 0;
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %ld", &kilobytes) == 1) break;
    if (status) fclose(status);
    return kilobytes * 1024;
}

static size_t from_hex(char *text) {
    size_t length = strlen(text) / 2;
    for (size_t at = 0; at < length; at++) {
        unsigned byte;
        if (sscanf(text + 2 * at, "%2x", &byte) != 1) fail("not hexadecimal", text);
        text[at] = (char)byte;
    }
    return length;
}

struct wanted {
    unsigned long long end;
    int seen;
};

static int see_end(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context) {
    struct wanted *wanted = context;
    (void)id, (void)from, (void)flags;
    wanted->seen |= to == wanted->end;
    return 0;
}

static int count(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context) {
    (void)id, (void)from, (void)to, (void)flags;
    ++*(uint64_t *)context;
    return 0;
}

/* Whether the database reports the end that the rule's own pattern has in each of its examples. */
static int finds_examples(hs_database_t *database, char *examples, const char *id) {
    hs_scratch_t *scratch = NULL;
    if (hs_alloc_scratch(database, &scratch) != HS_SUCCESS) fail("scratch", id);
    int all = 1;
    char *rest = NULL;
    for (char *example = strtok_r(examples, "\t", &rest); example; example = strtok_r(NULL, "\t", &rest)) {
        char *text;
        struct wanted wanted = {strtoull(example, &text, 10), 0};
        text++;
        size_t length = from_hex(text);
        if (hs_scan(database, text, (unsigned)length, 0, scratch, see_end, &wanted) != HS_SUCCESS) fail("scan", id);
        if (!wanted.seen) {
            fprintf(stderr, "hyperscan: %s: no match ends where that of the rule does in `%.*s`\n", id, (int)length, text);
            all = 0;
        }
    }
    hs_free_scratch(scratch);
    return all;
}

static void print_text(const char *text) {
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        if ((unsigned char)*text >= ' ') putchar(*text);
    }
    putchar('"');
}

static void save(hs_database_t *database, const char *path, unsigned given, unsigned compiled, unsigned differ, double began) {
    char *bytes;
    size_t length;
    if (hs_serialize_database(database, &bytes, &length) != HS_SUCCESS) fail(path, "cannot be serialized");
    FILE *file = fopen(path, "wb");
    uint64_t rules = compiled;
    if (!file || fwrite(&rules, sizeof rules, 1, file) != 1 || fwrite(bytes, 1, length, file) != length || fclose(file))
        fail(path, "cannot be written");
    printf("], \"given\": %u, \"compiled\": %u, \"differ\": %u, \"seconds\": %.3f, \"db_bytes\": %zu}\n", given, compiled,
           differ, seconds_of(CLOCK_MONOTONIC) - began, length);
}

static int compile(const char *from, const char *to) {
    size_t length;
    char *text = read_file(from, &length), *rest = NULL;
    double began = seconds_of(CLOCK_MONOTONIC);
    const char **patterns = NULL, **names = NULL;
    unsigned *ids = NULL, *flags = NULL, given = 0, compiled = 0, differ = 0;
    int listed = 0;
    printf("{\"refused\": [");
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *id = line, *pattern = strchr(line, '\t');
        if (!pattern) fail(from, "a line without pattern");
        *pattern++ = 0;
        given++;
        char *examples = strchr(pattern, '\t');
        if (examples) *examples++ = 0;
        const char *reason = NULL;
        hs_database_t *database = NULL;
        hs_compile_error_t *error = NULL;
        if (!*pattern)
            reason = examples ? examples : "not translated";
        else if (hs_compile(pattern, 0, HS_MODE_BLOCK, NULL, &database, &error) != HS_SUCCESS)
            reason = error->message;
        if (reason) {
            printf("%s[", listed++ ? ", " : "");
            print_text(id);
            printf(", ");
            print_text(reason);
            printf("]");
        } else {
            if (examples && !finds_examples(database, examples, id)) differ++;
            patterns = must(realloc(patterns, (compiled + 1) * sizeof *patterns));
            names = must(realloc(names, (compiled + 1) * sizeof *names));
            ids = must(realloc(ids, (compiled + 1) * sizeof *ids));
            flags = must(realloc(flags, (compiled + 1) * sizeof *flags));
            patterns[compiled] = pattern;
            names[compiled] = id;
            ids[compiled] = compiled;
            flags[compiled] = 0;
            compiled++;
        }
        hs_free_compile_error(error);
        hs_free_database(database);
    }
    hs_database_t *all;
    hs_compile_error_t *error;
    double alone = seconds_of(CLOCK_MONOTONIC);
    if (hs_compile_multi(patterns, flags, ids, compiled, HS_MODE_BLOCK, NULL, &all, &error) != HS_SUCCESS)
        fail(error->expression >= 0 ? names[error->expression] : "all patterns", error->message);
    /* The time of compiling them together, which is what a user waits for. */
    save(all, to, given, compiled, differ, alone);
    (void)began;
    return differ ? 1 : 0;
}

static int literals(const char *from, const char *to) {
    size_t length;
    char *text = read_file(from, &length), *rest = NULL;
    const char **words = NULL;
    size_t *lengths = NULL;
    unsigned *ids = NULL, *flags = NULL, number = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        words = must(realloc(words, (number + 1) * sizeof *words));
        lengths = must(realloc(lengths, (number + 1) * sizeof *lengths));
        ids = must(realloc(ids, (number + 1) * sizeof *ids));
        flags = must(realloc(flags, (number + 1) * sizeof *flags));
        lengths[number] = from_hex(line);
        words[number] = line;
        ids[number] = number;
        flags[number] = HS_FLAG_CASELESS;
        number++;
    }
    double began = seconds_of(CLOCK_MONOTONIC);
    hs_database_t *all;
    hs_compile_error_t *error;
    if (hs_compile_lit_multi(words, flags, ids, lengths, number, HS_MODE_BLOCK, NULL, &all, &error) != HS_SUCCESS)
        fail("literals", error->message);
    printf("{\"refused\": [");
    save(all, to, number, number, 0, began);
    return 0;
}

static int ascending(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static uint64_t scan_one(hs_database_t *database, hs_scratch_t *scratch, const char *bytes, size_t length) {
    uint64_t found = 0;
    /* The length is 32 bits wide. */
    for (size_t at = 0; at < length || at == 0; at += 1u << 31) {
        size_t piece = length - at < 1u << 31 ? length - at : 1u << 31;
        if (hs_scan(database, bytes + at, (unsigned)piece, 0, scratch, count, &found) != HS_SUCCESS) fail("hs_scan", "failed");
        if (length == 0) break;
    }
    return found;
}

static int scan(int arguments, char **argument) {
    double began = seconds_of(CLOCK_MONOTONIC);
    size_t length;
    char *serialized = read_file(argument[1], &length);
    uint64_t rules;
    hs_database_t *database;
    hs_scratch_t *scratch = NULL;
    if (length < sizeof rules) fail(argument[1], "too short");
    memcpy(&rules, serialized, sizeof rules);
    if (hs_deserialize_database(serialized + sizeof rules, length - sizeof rules, &database) != HS_SUCCESS
        || hs_alloc_scratch(database, &scratch) != HS_SUCCESS)
        fail(argument[1], "cannot be loaded");
    free(serialized);
    scan_one(database, scratch, "\n", 1);
    printf("{\"version\": \"%.5s\", \"rules\": %llu, \"ready_s\": %.9f}\n", hs_version(), (unsigned long long)rules,
           seconds_of(CLOCK_MONOTONIC) - began);
    int each = strcmp(argument[2], "each") == 0;
    double least = atof(argument[3]);
    size_t held = 0;
    for (int at = 4; at < arguments; at++) {
        char *bytes = read_file(argument[at], &length);
        uint64_t *head = (uint64_t *)bytes;
        size_t payloads = length < 8 ? 0 : head[0], total = 0;
        if (length < 8 + 8 * payloads) fail(argument[at], "is not a bundle");
        const char *first = bytes + 8 + 8 * payloads;
        for (size_t index = 0; index < payloads; index++) total += head[1 + index];
        if (total + 8 + 8 * payloads != length) fail(argument[at], "is not a bundle");
        if (length > held) held = length;

        double warm = seconds_of(CLOCK_MONOTONIC);
        const char *payload = first;
        for (size_t index = 0; index < payloads && seconds_of(CLOCK_MONOTONIC) - warm < 0.2; index++) {
            size_t piece = head[1 + index] < 1u << 20 ? head[1 + index] : 1u << 20;
            scan_one(database, scratch, payload, piece);
            payload += head[1 + index];
        }

        size_t passes = 0, timed = 0, room = 0;
        uint64_t *times = NULL, found = 0;
        double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID);
        do {
            uint64_t of_pass = 0;
            payload = first;
            for (size_t index = 0; index < payloads; index++) {
                double start = each ? seconds_of(CLOCK_MONOTONIC) : 0;
                of_pass += scan_one(database, scratch, payload, head[1 + index]);
                if (each) {
                    if (timed == room) times = must(realloc(times, (room = 2 * room + 1024) * sizeof *times));
                    times[timed++] = (uint64_t)((seconds_of(CLOCK_MONOTONIC) - start) * 1e9);
                }
                payload += head[1 + index];
            }
            if (passes++ && of_pass != found) fail(argument[at], "a later pass found something else");
            found = of_pass;
        } while (seconds_of(CLOCK_MONOTONIC) - wall < least);
        wall = (seconds_of(CLOCK_MONOTONIC) - wall) / (double)passes;
        cpu = (seconds_of(CLOCK_THREAD_CPUTIME_ID) - cpu) / (double)passes;
        printf("{\"bundle\": ");
        print_text(argument[at]);
        printf(", \"payloads\": %zu, \"bytes\": %zu, \"passes\": %zu, \"wall_s\": %.9f, \"cpu_s\": %.9f, \"findings\": %llu",
               payloads, total, passes, wall, cpu, (unsigned long long)found);
        if (timed) {
            qsort(times, timed, sizeof *times, ascending);
            printf(", \"p50_ns\": %llu, \"p99_ns\": %llu", (unsigned long long)times[timed / 2],
                   (unsigned long long)times[timed * 99 / 100]);
        }
        printf("}\n");
        fflush(stdout);
        free(times);
        free(bytes);
    }
    printf("{\"peak_rss\": %ld, \"held\": %zu}\n", peak_rss(), held);
    return 0;
}

int main(int arguments, char **argument) {
    if (arguments == 4 && strcmp(argument[1], "compile") == 0) return compile(argument[2], argument[3]);
    if (arguments == 4 && strcmp(argument[1], "literals") == 0) return literals(argument[2], argument[3]);
    if (arguments >= 4) return scan(arguments, argument);
    fprintf(stderr, "usage: see the head of hyperscan.c\n");
    return 2;
}
