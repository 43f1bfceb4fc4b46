/* source_lines.c: reads DWARF through libdw (elfutils), where the build has it.
 *
 * Why libdw: it is in every distribution (libbacktrace is not, Debian 12 has no package of it), finds
 * separate debugging files by build id, and knows inlined functions, compressed sections and DWARF 2 to 5.
 *
 * It is referred to weakly: a program that is linked to it (-ldw) gets lines, one that is not gets exported
 * functions from object_symbols.c, and neither the static library nor what is built on it needs it. Nothing
 * is ever fetched over the network: libdw's debuginfod client is left out of the search.
 *
 * libdw allocates by malloc. So it must not run inside itself: where malloc is an allocator that reports, the
 * inner report of a thread has no lines. Nor may one thread wait for another here, which may wait for the
 * allocator that reports: one reader is kept between reports, for speed, and whoever finds it taken opens
 * one of his own.
 *
 * Cost: opening a program's debugging information takes milliseconds, an address then microseconds.
 */
#include "allocators/core/source_lines.h"

#if HY_SYMBOLS
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <string.h>

#pragma weak dwarf_attr
#pragma weak dwarf_attr_integrate
#pragma weak dwarf_child
#pragma weak dwarf_decl_file
#pragma weak dwarf_diecu
#pragma weak dwarf_diename
#pragma weak dwarf_filesrc
#pragma weak dwarf_formref_die
#pragma weak dwarf_formudata
#pragma weak dwarf_getsrc_die
#pragma weak dwarf_getsrcfiles
#pragma weak dwarf_haspc
#pragma weak dwarf_lineno
#pragma weak dwarf_linesrc
#pragma weak dwarf_siblingof
#pragma weak dwarf_tag
#pragma weak dwfl_addrmodule
#pragma weak dwfl_begin
#pragma weak dwfl_build_id_find_debuginfo
#pragma weak dwfl_end
#pragma weak dwfl_module_addrdie
#pragma weak dwfl_module_addrinfo
#pragma weak dwfl_module_info
#pragma weak dwfl_module_nextcu
#pragma weak dwfl_report_begin_add
#pragma weak dwfl_report_elf
#pragma weak dwfl_report_end

static struct {
    Dwfl *reader;
    bool is_taken;
} kept;

static _Thread_local bool is_reading __attribute__((tls_model("initial-exec")));

static Dwfl *open_reader(void) {
    static char *debug_path; /* NULL: libdw's own default */
    static const Dwfl_Callbacks callbacks = {
        .find_debuginfo = dwfl_build_id_find_debuginfo,
        .debuginfo_path = &debug_path,
    };
    return dwfl_begin(&callbacks);
}

void hy_source_lines_begin(hy_source_lines *lines) {
    *lines = (hy_source_lines){.reader = NULL};
    if (!dwfl_begin || is_reading) return;
    is_reading = lines->is_begun = true;
    lines->is_shared = !__atomic_exchange_n(&kept.is_taken, true, __ATOMIC_ACQUIRE);
    if (!lines->is_shared) {
        lines->reader = open_reader();
        return;
    }
    if (!kept.reader) kept.reader = open_reader();
    lines->reader = kept.reader;
}

void hy_source_lines_end(hy_source_lines *lines) {
    if (lines->is_shared) {
        kept.reader = lines->reader;
        __atomic_store_n(&kept.is_taken, false, __ATOMIC_RELEASE);
    } else if (lines->reader) {
        dwfl_end(lines->reader);
    }
    if (lines->is_begun) is_reading = false;
}

/* So that leak checkers have nothing to ask. A report that comes later opens it again. */
__attribute__((destructor)) static void forget_reader(void) {
    hy_source_lines lines;
    hy_source_lines_begin(&lines);
    if (lines.is_shared && lines.reader) {
        dwfl_end(lines.reader);
        lines.reader = NULL;
    }
    hy_source_lines_end(&lines);
}

/* The module of the object, reported to the reader when it is first asked for. Where another library lay at
 * the address before, all is forgotten. */
static Dwfl_Module *module_of(hy_source_lines *lines, const hy_object *object, uintptr_t call) {
    Dwfl_Module *module = dwfl_addrmodule(lines->reader, call);
    if (module) {
        const char *name = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        if (name && strcmp(name, object->name) == 0) return module;
        dwfl_end(lines->reader);
        lines->reader = open_reader();
        if (!lines->reader) return NULL;
    }
    dwfl_report_begin_add(lines->reader);
    module = dwfl_report_elf(lines->reader, object->name, object->path, -1, object->base, true);
    return dwfl_report_end(lines->reader, NULL, NULL) == 0 ? module : NULL;
}

/* The compilation unit of the address. Not every compiler writes the index by which libdw finds it (clang
 * does not), and libdw takes what lies between two entries for part of the first, so all units may have to
 * be asked. */
static Dwarf_Die *unit_of(Dwfl_Module *module, uintptr_t call, Dwarf_Addr *bias) {
    Dwarf_Die *unit = dwfl_module_addrdie(module, call, bias);
    if (unit && dwarf_haspc(unit, call - *bias) == 1) return unit;
    unit = NULL;
    while ((unit = dwfl_module_nextcu(module, unit, bias))) {
        if (dwarf_haspc(unit, call - *bias) == 1) return unit;
    }
    return NULL;
}

/* Finds the scope within `parent` that the address lies in. */
static bool find_scope(Dwarf_Die *parent, Dwarf_Addr address, Dwarf_Die *found) {
    Dwarf_Die child;
    int at_end = dwarf_child(parent, &child);
    while (at_end == 0) {
        int tag = dwarf_tag(&child);
        if (tag == DW_TAG_namespace && find_scope(&child, address, found)) return true;
        bool is_scope =
            tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block;
        if (is_scope && dwarf_haspc(&child, address) == 1) {
            *found = child;
            return true;
        }
        at_end = dwarf_siblingof(&child, &child);
    }
    return false;
}

#define FUNCTIONS_MAX 32

/* The functions around the address, outermost first, as they lie in the code: one that was inlined stands in
 * the one that it was inlined into. Not by dwarf_getscopes, which finds none where link-time optimisation
 * inlined a function of another unit. */
static size_t functions_around(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die functions[FUNCTIONS_MAX]) {
    Dwarf_Die scope = *unit;
    size_t count = 0;
    while (count < FUNCTIONS_MAX && find_scope(&scope, address, &scope)) {
        if (dwarf_tag(&scope) != DW_TAG_lexical_block) functions[count++] = scope;
    }
    return count;
}

static Dwarf_Word number_of(Dwarf_Die *scope, unsigned name) {
    Dwarf_Attribute attribute;
    Dwarf_Word number = 0;
    if (dwarf_attr(scope, name, &attribute)) dwarf_formudata(&attribute, &number);
    return number;
}

/* Moves the frame's place to where the inlined function was called. */
static void go_to_call(hy_frame *frame, Dwarf_Die *unit, Dwarf_Die *scope) {
    Dwarf_Files *files;
    size_t count;
    Dwarf_Word file = number_of(scope, DW_AT_call_file);
    bool has_file = dwarf_getsrcfiles(unit, &files, &count) == 0 && file < count;
    frame->file = has_file ? dwarf_filesrc(files, file, NULL, NULL) : NULL;
    frame->line = (unsigned)number_of(scope, DW_AT_call_line);
}

typedef struct teller {
    hy_frame frame;
    size_t told;
    hy_frame_sink sink;
    void *context;
} teller;

/* Where the function was written: one that was inlined or cloned refers to it. */
static Dwarf_Die origin_of(const Dwarf_Die *function) {
    Dwarf_Die origin = *function;
    Dwarf_Attribute attribute;
    while (dwarf_attr(&origin, DW_AT_abstract_origin, &attribute) ||
           dwarf_attr(&origin, DW_AT_specification, &attribute)) {
        if (!dwarf_formref_die(&attribute, &origin)) break;
    }
    return origin;
}

/* Whether the unit has the mark of library_unit.h. */
static bool is_library_unit(Dwarf_Die *unit) {
    Dwarf_Die child;
    int at_end = dwarf_child(unit, &child);
    while (at_end == 0) {
        const char *name = dwarf_tag(&child) == DW_TAG_variable ? dwarf_diename(&child) : NULL;
        if (name && strcmp(name, "hy_library_unit") == 0) return true;
        at_end = dwarf_siblingof(&child, &child);
    }
    return false;
}

/* Of a header's inline functions, each file that needs one has a copy: they are the library's by their name.
 */
static bool is_from_header(Dwarf_Die *function) {
    const char *name = dwarf_diename(function), *file = dwarf_decl_file(function);
    const char *end = file ? strrchr(file, '.') : NULL;
    return name && strncmp(name, "hy_", 3) == 0 && end && strcmp(end, ".h") == 0;
}

static bool is_librarys(Dwarf_Die *function) {
    Dwarf_Die origin = origin_of(function), unit;
    return is_from_header(function) || (dwarf_diecu(&origin, &unit, NULL, NULL) && is_library_unit(&unit));
}

/* What is inlined from the library into its caller, as the front door is, is left out at the front of a
 * trace.
 */
static bool is_left_out(const teller *t, Dwarf_Die *function) {
    return t->frame.index == 0 && t->frame.is_inlined && is_librarys(function);
}

static void tell(teller *t) {
    t->sink(t->context, &t->frame);
    t->frame.index++;
    t->told++;
}

static void tell_functions(teller *t, Dwarf_Die *unit, Dwarf_Die *functions, size_t count) {
    const hy_frame known = t->frame;
    while (count-- > 0) {
        Dwarf_Die *function = &functions[count];
        const char *name = dwarf_diename(function);
        t->frame.is_inlined = dwarf_tag(function) == DW_TAG_inlined_subroutine;
        t->frame.function = name ? name : known.function;
        t->frame.function_offset = t->frame.is_inlined ? 0 : known.function_offset;
        if (!is_left_out(t, function)) tell(t);
        if (!t->frame.is_inlined) return;
        go_to_call(&t->frame, unit, function);
    }
    t->frame.is_inlined = false;
    t->frame.function = known.function;
    t->frame.function_offset = known.function_offset;
    tell(t);
}

size_t hy_source_lines_find(hy_source_lines *lines, const hy_object *object, uintptr_t call,
    const hy_frame *known, hy_frame_sink sink, void *context) {
    Dwarf_Addr bias = 0;
    Dwfl_Module *module = lines->reader ? module_of(lines, object, call) : NULL;
    Dwarf_Die *unit = module ? unit_of(module, call, &bias) : NULL;
    if (!unit) return 0;
    teller t = {*known, 0, sink, context};
    Dwarf_Line *line = dwarf_getsrc_die(unit, call - bias);
    int number = 0;
    if (line && dwarf_lineno(line, &number) == 0) {
        t.frame.file = dwarf_linesrc(line, NULL, NULL);
        t.frame.line = (unsigned)number;
    }
    Dwarf_Die functions[FUNCTIONS_MAX];
    tell_functions(&t, unit, functions, functions_around(unit, call - bias, functions));
    return t.told;
}

bool hy_source_lines_symbol(
    hy_source_lines *lines, const hy_object *object, uintptr_t call, hy_symbol *symbol) {
    Dwfl_Module *module = lines->reader ? module_of(lines, object, call) : NULL;
    GElf_Off offset;
    GElf_Sym found;
    const char *name = module ? dwfl_module_addrinfo(module, call, &offset, &found, NULL, NULL, NULL) : NULL;
    if (!name || offset >= found.st_size) return false;
    *symbol = (hy_symbol){name, call - offset};
    return true;
}

hy_unit_owner hy_source_lines_owner(hy_source_lines *lines, const hy_object *object, uintptr_t call) {
    Dwarf_Addr bias = 0;
    Dwfl_Module *module = lines->reader ? module_of(lines, object, call) : NULL;
    Dwarf_Die *unit = module ? unit_of(module, call, &bias) : NULL;
    if (!unit) return HY_UNIT_UNKNOWN;
    Dwarf_Die functions[FUNCTIONS_MAX];
    if (functions_around(unit, call - bias, functions) == 0) return HY_UNIT_UNKNOWN;
    return is_librarys(&functions[0]) ? HY_UNIT_LIBRARY : HY_UNIT_OTHER;
}

const char *hy_source_lines_names(void) {
    return dwfl_begin ? "function, file and line (libdw)"
                      : "exported functions; link to libdw (-ldw) for the others, file and line";
}

#else

void hy_source_lines_begin(hy_source_lines *lines) {
    *lines = (hy_source_lines){.reader = NULL};
}

void hy_source_lines_end(hy_source_lines *lines) {
    (void)lines;
}

size_t hy_source_lines_find(hy_source_lines *lines, const hy_object *object, uintptr_t call,
    const hy_frame *known, hy_frame_sink sink, void *context) {
    (void)lines, (void)object, (void)call, (void)known, (void)sink, (void)context;
    return 0;
}

bool hy_source_lines_symbol(
    hy_source_lines *lines, const hy_object *object, uintptr_t call, hy_symbol *symbol) {
    (void)lines, (void)object, (void)call, (void)symbol;
    return false;
}

hy_unit_owner hy_source_lines_owner(hy_source_lines *lines, const hy_object *object, uintptr_t call) {
    (void)lines, (void)object, (void)call;
    return HY_UNIT_UNKNOWN;
}

const char *hy_source_lines_names(void) {
    return "exported functions; the others, file and line are not in this build: install libdw-dev";
}

#endif
