/* oracles.c: table 4, the switches, and who sees what. */
#include "fuzz/oracles.h"

#include <stdio.h>
#include <string.h>

#define HY_ORACLE(name) extern const hy_oracle hy_##name##_oracle;
#include "fuzz/oracles.def"
#undef HY_ORACLE

static const hy_oracle *const oracles[] = {
#define HY_ORACLE(name) &hy_##name##_oracle,
#include "fuzz/oracles.def"
#undef HY_ORACLE
};

#define COUNT (sizeof oracles / sizeof oracles[0])

static struct {
    bool off[COUNT];
    bool is_listed;
    /* Of those that are on, by event: what has nothing to look at costs nothing. */
    struct {
        size_t count;
        hy_oracle_function *functions[COUNT];
    } on[HY_EVENT_COUNT];
} state;

const hy_oracle *const *hy_oracles(size_t *count) {
    *count = COUNT;
    return oracles;
}

/* The index of the oracle of that name; COUNT where there is none. */
static size_t find(const char *name, size_t length) {
    size_t i = 0;
    while (i < COUNT && (strlen(oracles[i]->name) != length || memcmp(oracles[i]->name, name, length) != 0))
        i++;
    return i;
}

bool hy_oracles_has(const char *name) {
    size_t index = find(name, strlen(name));
    return index < COUNT && !state.off[index];
}

static bool refuse(const char *word, size_t length, char *error, size_t error_bytes) {
    int used = snprintf(error, error_bytes, "no oracle %.*s; there are", (int)length, word);
    for (size_t i = 0; i < COUNT && used >= 0 && (size_t)used < error_bytes; i++)
        used += snprintf(error + used, error_bytes - (size_t)used, " %s", oracles[i]->name);
    return false;
}

bool hy_oracles_choose(const char *names, char *error, size_t error_bytes) {
    bool off[COUNT] = {false};
    if (!names) names = "";
    /* A list that begins with what is to be on leaves all others off. */
    for (size_t i = 0; i < COUNT && names[0] && names[0] != '-'; i++)
        off[i] = true;
    while (names[0]) {
        bool minus = names[0] == '-';
        const char *word = names + minus;
        size_t length = strcspn(word, ","), index = find(word, length);
        if (index == COUNT) return refuse(word, length, error, error_bytes);
        off[index] = minus;
        names = word + length + (word[length] == ',');
    }
    memcpy(state.off, off, sizeof off);
    state.is_listed = false;
    return true;
}

static void list_functions(void) {
    for (size_t event = 0; event < HY_EVENT_COUNT; event++) {
        state.on[event].count = 0;
        for (size_t i = 0; i < COUNT; i++) {
            if (state.off[i] || !oracles[i]->on[event]) continue;
            state.on[event].functions[state.on[event].count++] = oracles[i]->on[event];
        }
    }
    state.is_listed = true;
}

void hy_oracles_see(hy_event event, const hy_run *run, const hy_run_call *call) {
    if (!state.is_listed) list_functions();
    for (size_t i = 0; i < state.on[event].count; i++)
        state.on[event].functions[i](run, call);
}
