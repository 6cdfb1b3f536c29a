/* The node of the graph, its operators and the reverse sweep on floats: what value.py, graph.py and sweeps.py do, to the bit.

   Nothing here is needed: without it the Python runs as it is.  There is no derivative here but those of + - * /, negation,
   sum, mean and dot; for all others the sweep asks the row.  Whatever is not one of the frequent cases (a watch or a trace, a
   subclass, another kind of number) is left to the Python method, which is called in its place.

   A node is not tracked by the collector until it can be part of a ring: see `track`.  Chains are freed by a queue.  All state
   is the module's; the interpreter's lock guards it, and a build without that lock is refused. */

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <structmember.h>
#include <sys/mman.h>

#ifdef Py_GIL_DISABLED
#error "the core relies on the interpreter's lock"
#endif

#define VECTORCALL_FLAG (1UL << 11) /* Py_TPFLAGS_HAVE_VECTORCALL, whose name the limited API of 3.11 does not have yet */
#define VECTORCALL_NARGS(n) ((Py_ssize_t)((n) & ~((size_t)1 << (8 * sizeof(size_t) - 1))))
typedef PyObject *(*Vectorcall)(PyObject *, PyObject *const *, size_t, PyObject *);

enum { VERSION = 12 }; /* as in accelerated.py */
enum { NONE, ADD, SUB, MUL, DIV, NEG, SUM, MEAN, DOT, NATIVE };                /* the rows that are computed here */
enum { AT_ADD, AT_SUB, AT_MUL, AT_DIV, AT_POW, AT_FLOORDIV, AT_MOD, OPERATORS }; /* the operators of two operands */
enum { PRODUCT = -2, ANY_NUMBER = -1, GENERAL = 0, UNARY = 1, BINARY = 2, TIMES = 3, PLUS = 4 };    /* as in ops/columns.py */
enum { SEEN = 1, HIT = 2, STOP = 4, MANY = 8, TRACKED = 16, GIVEN = 32, WALKED = 64, PAST = 128, OWN = 256, LED = 512 };
enum { STACK = 1 << 16 };   /* how many places of a stack are kept for the next sweep, half a megabyte */
enum { DOUBTFUL = 16 };     /* for how many sweeps edges are counted after one that had to be done anew */
enum { SIGNALS = 1 << 14 }; /* how many nodes a sweep takes between two looks for signals */

typedef struct Row Row;
typedef struct Node Node;

typedef struct { Node **at; Py_ssize_t n, cap; } Stack;

typedef struct State State;

/* Two megabytes of addresses for nodes, and behind which of them is nothing: a bit each, taken in the order of the addresses,
   so that what is made one after the other lies side by side, however the last graph was freed. */
enum { CHUNK = 1 << 21, SLOT = 128, WORDS = CHUNK / SLOT / 64, KEPT = 8, FEW = 2048, ROOM = 16, NEAR = 8 };
/* FEW: nodes of the first one; ROOM: slots of a list of operands at most, which is looked for in NEAR words */
typedef struct Chunk {
    State *state;
    struct Chunk *next, *before; /* in the list of those with free nodes */
    int slots, count, word;      /* how many nodes, and of them free ones; no lower word has a bit */
    uint64_t bits[WORDS];
} Chunk;
enum { COLLECTORS = 2 * sizeof(void *), KNOWN = 0x030F0000 }; /* what the collector has in front of an object, in versions before this one */
enum { FIRST = (sizeof(Chunk) + 63) / 64 * 64 + 64 - COLLECTORS, SLOTS = (CHUNK - FIRST) / SLOT }; /* a node begins a line of the cache */

struct State {
    PyTypeObject *value, *row, *method, *entry, *called, *machine, *batch;
    PyObject *zero; /* the gradient of what no gradient has reached, always the same object */
    PyObject *python[OPERATORS][2]; /* the Python methods of the operators, as they stand and reflected */
    PyObject *init, *negative, *contributions, *sum, *noted, *acquire, *release, *as_float, *bound, *watched, *edges, *flow, *product;
    PyObject *recording; /* the list of the trace that all nodes of one thread go to, if it is so simple */
    unsigned long recorder;         /* that thread */
    PyObject *rows[OPERATORS], *neg, *dot;
    PyObject *ramp, *above;         /* two functions that rows may have, by which they are known: see Row */
    PyObject *attributes[3];        /* of a neuron: the names of its weights, its bias and its activation */
    Stack kept[4];                  /* of the last sweep, for the next one */
    Node *dying;
    Chunk *chunk, *open, *full; /* the one that nodes are taken from now; others with free nodes; it and those without */
    int empty, first; /* how many of the open ones are free altogether; whether a chunk would be the first */
    long tracked, due;   /* how many nodes the collector sees; at how many it is called */
    uint64_t clock;
    long active; /* context.active: how many watches there are */
    int freeing, sweeping, own, doubtful; /* own: whether nodes live in chunks; doubtful: for how many sweeps edges are counted */
};

struct Row {
    PyObject_HEAD
    PyObject *forward, *first, *second, *rule, *products[2], *gather; /* as they were when `fresh` was set; NULL for None */
    State *state;
    double slopes[2]; /* of partials that are constants */
    int kind, arity, native, fresh, lasting, settled, tame; /* tame: finite where its operands are */
    PyObject *partials, *all_products, *plain; /* the last: another row, of the same value, whose operands are the first ones */
    int role; /* what the passes over programs make of it */
    int ramp, above; /* whether `forward` is the larger of x and 0, and the product g above 0 and nothing below */
};

typedef struct {
    Py_ssize_t n, slots; /* slots: how many of a chunk it takes, 0 where it is memory of its own */
    struct { PyObject *node; double x; } at[]; /* node: NULL where the operand is the constant x */
} Operands;

struct Node {
    PyObject_HEAD
    PyObject *a, *b; /* operands: nodes, or NULL where there is none or a constant; a: Operands where MANY */
    Row *row;        /* NULL of a leaf */
    double acc;      /* what a sweep has gathered so far */
    uint32_t pending, flags;
    double x, y, data, grad; /* up to x all is in one line of the cache, and a sum needs no more of it */
    PyObject *g, *name; /* g: the gradient as it was assigned; NULL where it is the double, or where none has come yet */
    uint32_t uses, place; /* how many times it is an operand; its number in a trace, + 1 */
};

/* Graphs are larger than the cache: what is wanted soon is asked for early. */
#ifdef __GNUC__
#define SOON(at) __builtin_prefetch(at, 1)
#define INLINE inline __attribute__((always_inline))
#else
#define SOON(at) ((void)0)
#define INLINE inline
#endif
#define OPERANDS(n) ((Operands *)(n)->a)
#define ROW(o) ((Row *)(o))
#define NODE(o) ((Node *)(o))

static inline PyObject *node_at(const Node *n, Py_ssize_t i) { return n->flags & MANY ? OPERANDS(n)->at[i].node : i ? n->b : n->a; }
static inline double worth_at(const Node *n, Py_ssize_t i) { return n->flags & MANY ? OPERANDS(n)->at[i].x : i ? n->y : n->x; }
static inline Py_ssize_t operands_of(const Node *n) { return n->flags & MANY ? OPERANDS(n)->n : !n->row ? 0 : n->row->arity == 1 ? 1 : 2; }

static void node_dealloc(PyObject *p);
static void row_dealloc(PyObject *p);

static PyObject *ref(PyObject *o) { Py_INCREF(o); return o; }

/* -- whose state ---------------------------------------------------------------------------------------------------- */

/* The state behind a type that derives from the one of ours with this destructor; NULL where it derives from none. */
static State *state_behind(PyTypeObject *t, destructor ours) {
    for (; t; t = (PyTypeObject *)PyType_GetSlot(t, Py_tp_base))
        if ((destructor)PyType_GetSlot(t, Py_tp_dealloc) == ours) return PyType_GetModuleState(t);
    return NULL;
}

static inline Chunk *chunk_of(Node *n) { return (Chunk *)((uintptr_t)n & ~(uintptr_t)(CHUNK - 1)); }

static inline State *state_of_node(Node *n) {
    return n->flags & OWN ? chunk_of(n)->state : state_behind(Py_TYPE((PyObject *)n), node_dealloc);
}

static int is_node(PyObject *o) { return state_behind(Py_TYPE(o), node_dealloc) != NULL; }

static int gone(State *s, PyObject *what) {
    if (s && what) return 0;
    PyErr_SetString(PyExc_RuntimeError, "autograd_lite._core is not in use: the interpreter is shutting down");
    return 1;
}

/* -- rows ------------------------------------------------------------------------------------------------------------- */

static int look(PyObject *o, const char *name, PyObject **to) { /* an attribute; NULL for None */
    PyObject *found = PyObject_GetAttrString(o, name), *old = *to;
    if (!found) return -1;
    if (found == Py_None) { Py_DECREF(found); found = NULL; }
    *to = found;
    Py_XDECREF(old);
    return 0;
}

static int look_number(PyObject *o, const char *name, int *to) { /* -1 for None */
    PyObject *found = NULL;
    if (look(o, name, &found)) return -1;
    *to = found ? (int)PyLong_AsLong(found) : -1;
    Py_XDECREF(found);
    return PyErr_Occurred() ? -1 : 0;
}

static int as_tuple(PyObject **to) { /* whoever changes a row may give it a list */
    PyObject *given = *to;
    if (!given) return 0;
    *to = PySequence_Tuple(given);
    Py_DECREF(given);
    return *to ? 0 : -1;
}

/* Bring what is kept of a row up to date. */
static int fresh(Row *r) {
    PyObject *products = NULL, *settings = NULL, *tame = NULL, *o = (PyObject *)r;
    if (r->fresh) return 0;
    if (!r->state && !(r->state = state_behind(Py_TYPE(o), row_dealloc))) return -1;
    if (look(o, "forward", &r->forward) || look(o, "first", &r->first) || look(o, "second", &r->second) ||
        look(o, "rule", &r->rule) || look(o, "gather", &r->gather) || look_number(o, "kind", &r->kind) ||
        look_number(o, "arity", &r->arity) || look(o, "products", &products) ||
        look(o, "partials", &r->partials) || look(o, "plain", &r->plain) || look(o, "settings", &settings) ||
        look(o, "tame", &tame)) goto no;
    if (as_tuple(&products) || as_tuple(&r->partials)) goto no;
    Py_XDECREF(r->all_products);
    r->all_products = products ? ref(products) : NULL;
    r->settled = settings ? PyObject_IsTrue(settings) : 0;
    r->tame = tame ? PyObject_IsTrue(tame) : 0;
    r->slopes[0] = r->first && PyFloat_CheckExact(r->first) ? PyFloat_AsDouble(r->first) : NAN;
    r->slopes[1] = r->second && PyFloat_CheckExact(r->second) ? PyFloat_AsDouble(r->second) : NAN;
    for (int i = 0; i < 2; i++) {
        PyObject *old = r->products[i];
        r->products[i] = products && i < PyTuple_Size(products) ? ref(PyTuple_GetItem(products, i)) : NULL;
        Py_XDECREF(old);
    }
    r->ramp = r->forward && r->forward == r->state->ramp;
    r->above = r->kind == PRODUCT && r->arity == 1 && r->products[0] && r->products[0] == r->state->above;
    r->fresh = 1;
no:
    Py_XDECREF(products);
    Py_XDECREF(settings);
    Py_XDECREF(tame);
    return r->fresh ? 0 : -1;
}

static int row_setattro(PyObject *o, PyObject *name, PyObject *value) {
    ROW(o)->fresh = ROW(o)->native = 0; /* whoever changes a row is asked from then on */
    if (PyObject_GenericSetAttr(o, name, value)) return -1;
    if (PyUnicode_CompareWithASCIIString(name, "first") && PyUnicode_CompareWithASCIIString(name, "second")) return 0;
    int kind = 0; /* and the sweep in Python does so too */
    if (look_number(o, "kind", &kind)) { PyErr_Clear(); return 0; }
    PyObject *slow = kind > BINARY ? PyLong_FromLong(BINARY) : NULL;
    int status = kind > BINARY ? slow ? PyObject_SetAttrString(o, "kind", slow) : -1 : 0;
    Py_XDECREF(slow);
    return status;
}

static int row_traverse(PyObject *o, visitproc visit, void *arg) {
    Row *r = ROW(o);
    Py_VISIT(Py_TYPE(o)); Py_VISIT(r->forward); Py_VISIT(r->first); Py_VISIT(r->second); Py_VISIT(r->rule);
    Py_VISIT(r->products[0]); Py_VISIT(r->products[1]); Py_VISIT(r->gather);
    Py_VISIT(r->partials); Py_VISIT(r->all_products); Py_VISIT(r->plain);
    return 0;
}

static int row_clear(PyObject *o) {
    Row *r = ROW(o);
    r->fresh = 0;
    Py_CLEAR(r->forward); Py_CLEAR(r->first); Py_CLEAR(r->second); Py_CLEAR(r->rule);
    Py_CLEAR(r->products[0]); Py_CLEAR(r->products[1]); Py_CLEAR(r->gather);
    Py_CLEAR(r->partials); Py_CLEAR(r->all_products); Py_CLEAR(r->plain);
    return 0;
}

/* The end of an object that the collector knows: of what it holds, and then of itself. */
static void ended(PyObject *o, inquiry clear) {
    PyTypeObject *t = Py_TYPE(o);
    PyObject_GC_UnTrack(o);
    clear(o);
    PyObject_GC_Del(o);
    Py_DECREF((PyObject *)t);
}

static void row_dealloc(PyObject *o) { ended(o, row_clear); }

/* -- what the collector sees ------------------------------------------------------------------------------------------ */

static int grow(Stack *s) {
    Py_ssize_t cap = s->cap ? 2 * s->cap : 256;
    void *at = PyMem_Realloc(s->at, cap * sizeof(Node *));
    if (!at) { PyErr_NoMemory(); return -1; }
    s->at = at;
    s->cap = cap;
    return 0;
}

static inline int put(Stack *s, Node *n) {
    if (s->n == s->cap && grow(s)) return -1;
    s->at[s->n++] = n;
    return 0;
}

static inline int tracked(State *s, PyObject *o) { return Py_TYPE(o) != s->value || (NODE(o)->flags & TRACKED); }

static int walk_to(State *s, Stack *stack, Stack *walked, PyObject *o) {
    if (!o || !is_node(o)) return 0;
    Node *n = NODE(o);
    if (n->flags & (Py_TYPE(o) == s->value ? WALKED | TRACKED : WALKED | LED)) return 0;
    n->flags |= WALKED;
    return put(walked, n) || put(stack, n) ? -1 : 0;
}

/* Let the collector see a node and all that it leads to.

   Operands are older than their results, so a ring needs something that was put in later: a gradient that is a node, an op
   of the user's whose functions hold nodes, an attribute of a subclass.  Whatever gets such a thing, or an operand that the
   collector sees, is tracked, and with it all that it leads to: so every ring is seen whole.  A subclass's is seen from its
   birth, and LED once all that it leads to is: a graph of such nodes is walked once, not again for each that is made. */
static int track(State *s, Node *root) {
    Stack stack = {0}, walked = {0};
    root->flags &= ~(uint32_t)LED;
    int failed = walk_to(s, &stack, &walked, (PyObject *)root);
    while (!failed && stack.n) {
        Node *n = stack.at[--stack.n];
        if (n->flags & MANY)
            for (Py_ssize_t i = 0; !failed && i < OPERANDS(n)->n; i++) failed = walk_to(s, &stack, &walked, OPERANDS(n)->at[i].node);
        else
            failed = walk_to(s, &stack, &walked, n->a) || walk_to(s, &stack, &walked, n->b);
        failed = failed || walk_to(s, &stack, &walked, n->g);
    }
    for (Py_ssize_t i = 0; i < walked.n; i++) {
        Node *n = walked.at[i];
        n->flags &= ~(uint32_t)WALKED;
        if (!failed && Py_TYPE((PyObject *)n) != s->value) n->flags |= LED;
        if (!failed && Py_TYPE((PyObject *)n) == s->value && !(n->flags & TRACKED)) {
            n->flags |= TRACKED;
            s->tracked++;
            PyObject_GC_Track((PyObject *)n);
        }
    }
    PyMem_Free(stack.at);
    PyMem_Free(walked.at);
    return failed ? -1 : 0;
}

static int node_traverse(PyObject *o, visitproc visit, void *arg) {
    Node *n = NODE(o);
    Py_VISIT(Py_TYPE(o));
    if (n->flags & MANY) { for (Py_ssize_t i = 0; i < OPERANDS(n)->n; i++) Py_VISIT(OPERANDS(n)->at[i].node); }
    else Py_VISIT(n->a);
    Py_VISIT(n->b); Py_VISIT(n->g); Py_VISIT(n->name); Py_VISIT((PyObject *)n->row);
    return 0;
}

static int node_clear(PyObject *o) { /* what came in later: without it there is no ring */
    Py_CLEAR(NODE(o)->g);
    Py_CLEAR(NODE(o)->name);
    return 0;
}

static inline PyObject *hold(PyObject *o) { /* as an operand */
    if (o) { Py_INCREF(o); NODE(o)->uses++; }
    return o;
}

static inline void drop(PyObject *o) {
    if (o) { NODE(o)->uses--; Py_DECREF(o); }
}

/* -- where nodes live ------------------------------------------------------------------------------------------------- */

static inline int lowest(uint64_t bits) {
#ifdef __GNUC__
    return __builtin_ctzll(bits);
#else
    int i = 0;
    while (!(bits >> i & 1)) i++;
    return i;
#endif
}

static Chunk *mapped(State *s) { /* a new chunk; NULL where the system has none */
    char *at = mmap(NULL, 2 * (size_t)CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (at == MAP_FAILED) return NULL;
    size_t before = (CHUNK - (uintptr_t)at % CHUNK) % CHUNK;
    if (before) munmap(at, before);
    Chunk *c = (Chunk *)(at + before);
    munmap((char *)c + CHUNK, CHUNK - before);
#ifdef MADV_HUGEPAGE
    if (!s->first) madvise(c, CHUNK, MADV_HUGEPAGE); /* small graphs take small pages; one large page costs less than 512 of them */
#endif
    c->state = s;
    c->slots = c->count = s->first ? FEW : SLOTS;
    s->first = 0;
    for (int i = 0; i < c->slots; i++) c->bits[i >> 6] |= (uint64_t)1 << (i & 63);
    return c;
}

static void linked(Chunk **list, Chunk *c) {
    c->before = NULL;
    if ((c->next = *list)) c->next->before = c;
    *list = c;
}

static void unlinked(Chunk **list, Chunk *c) {
    if (c->next) c->next->before = c->before;
    if (c->before) c->before->next = c->next;
    else *list = c->next;
}

static Chunk *opened(State *s) { /* the next chunk that nodes are taken from */
    Chunk *c = s->open;
    if (!s->own) return NULL;
    if (c) {
        unlinked(&s->open, c);
        s->empty -= c->count == c->slots;
    } else if (!(c = mapped(s))) return NULL;
    linked(&s->full, c);
    return s->chunk = c;
}

/* Rings of nodes are made without the collector hearing of it: it is called when twice as many can be in rings as last time. */
static void pressed(State *s) {
    if (PyGC_IsEnabled()) PyGC_Collect();
    s->due = 2 * s->tracked + CHUNK / SLOT;
}

static inline Node *blank(State *s) {
    if (s->tracked > s->due) pressed(s);
    Chunk *c = s->chunk;
    Node *n;
    if ((!c || !c->count) && !(c = opened(s))) {
        if ((n = PyObject_GC_New(Node, s->value))) n->flags = 0;
        return n;
    }
    while (!c->bits[c->word]) c->word++;
    n = (Node *)((char *)c + FIRST + COLLECTORS + ((size_t)c->word * 64 + lowest(c->bits[c->word])) * SLOT);
    c->bits[c->word] &= c->bits[c->word] - 1;
    c->count--;
    SOON((char *)n + 2 * SLOT);
    SOON((char *)n + 2 * SLOT + 64);
    n->flags = OWN;
#ifdef Py_REF_DEBUG
    return (Node *)PyObject_Init((PyObject *)n, s->value);
#else
    Py_INCREF((PyObject *)s->value);
    Py_SET_TYPE((PyObject *)n, s->value);
    Py_SET_REFCNT((PyObject *)n, 1);
    return n;
#endif
}

static INLINE void vacant(void *o, int slots) { /* what was in a chunk is there for the next one */
    Chunk *c = chunk_of(o);
    State *s = c->state;
    unsigned i = (unsigned)((char *)o - (char *)c - FIRST) / SLOT;
    c->bits[i >> 6] |= (((uint64_t)1 << slots) - 1) << (i & 63);
    if ((int)(i >> 6) < c->word) c->word = (int)(i >> 6);
    c->count += slots;
    if (s && c == s->chunk) return;
    if (s && c->count == slots) { unlinked(&s->full, c); linked(&s->open, c); }
    if (c->count < c->slots) return;
    if (s && s->own && s->empty < KEPT) { s->empty++; return; }
    if (s) unlinked(&s->open, c);
    munmap(c, CHUNK);
}

/* A list of operands stands in slots side by side, where there are some near the next node; a long one is memory of its own. */
static Operands *operands_new(State *s, Py_ssize_t n) {
    size_t size = sizeof(Operands) + n * sizeof ((Operands *)0)->at[0];
    Chunk *c = s->chunk;
    Operands *all = NULL;
    int slots = size <= ROOM * SLOT ? (int)((size + SLOT - 1) / SLOT) : 0, word = c && slots && c->count >= slots ? c->word : WORDS;
    for (int end = word + NEAR < WORDS ? word + NEAR : WORDS; !all && word < end; word++) {
        uint64_t free = c->bits[word];
        for (int i = 1; i < slots; i++) free &= c->bits[word] >> i;
        if (!free) continue;
        int at = lowest(free);
        c->bits[word] &= ~((((uint64_t)1 << slots) - 1) << at);
        c->count -= slots;
        all = (Operands *)((char *)c + FIRST + ((size_t)word * 64 + at) * SLOT);
    }
    if (!all) {
        slots = 0;
        if (!(all = PyMem_Malloc(size))) { PyErr_NoMemory(); return NULL; }
    }
    all->n = n;
    all->slots = slots;
    return all;
}

static void operands_free(Operands *all) {
    if (!all) return;
    int slots = (int)all->slots;
    for (Py_ssize_t i = 0; i < all->n; i++) drop(all->at[i].node);
    for (int i = 0; i < slots; i++) memset((char *)all + (size_t)i * SLOT, 0, COLLECTORS); /* a node there is one that the collector does not see */
    if (slots) vacant(all, slots);
    else PyMem_Free(all);
}

static void left(State *s, int gone) { /* no node is made any more; gone: nor will the state be there */
    Chunk *c = s->chunk, *next;
    s->own = 0;
    s->chunk = NULL;
    if (c && c->count) { unlinked(&s->full, c); linked(&s->open, c); }
    for (c = s->open; c; c = next) {
        next = c->next;
        if (c->count == c->slots) { unlinked(&s->open, c); munmap(c, CHUNK); }
    }
    s->empty = 0;
    for (c = s->open; gone && c; c = c->next) c->state = NULL;
    for (c = s->full; gone && c; c = c->next) c->state = NULL;
}

static inline void dying(State *s, Node *n) { /* the queue; what has been gathered by n is not wanted any more */
    memcpy(&n->acc, &s->dying, sizeof s->dying);
    s->dying = n;
}

static inline void drop_from(State *s, PyObject *o) { /* drop, without a call where that is the end of a node */
#ifndef Py_REF_DEBUG
    if (o && s && Py_REFCNT(o) == 1 && Py_TYPE(o) == s->value && (NODE(o)->flags & (OWN | TRACKED)) == OWN) { dying(s, NODE(o)); return; }
#endif
    drop(o);
}

static void release(State *s, Node *n) {
    PyObject *a = n->a, *b = n->b, *o = (PyObject *)n;
    PyTypeObject *t = Py_TYPE(o);
    int many = n->flags & MANY;
    SOON(a);
    SOON(b);
    Py_XDECREF(n->name); Py_XDECREF(n->g); Py_XDECREF((PyObject *)n->row);
    if (n->flags & OWN) vacant((char *)n - COLLECTORS, 1);
    else PyObject_GC_Del(o);
    Py_DECREF((PyObject *)t);
    if (many) operands_free((Operands *)a);
    else { drop_from(s, a); drop_from(s, b); }
}

/* Freed one after the other, however long the chain: what a node lets go of meanwhile stands in a queue. */
static void node_dealloc(PyObject *o) {
    Node *n = NODE(o);
    State *s = state_of_node(n);
    PyTypeObject *t = Py_TYPE(o);
    if (!(n->flags & OWN)) PyObject_GC_UnTrack(o);
    else if (n->flags & TRACKED || !s || t != s->value) { /* one that became a subclass's: Python lets the collector see it for this call */
        PyObject_GC_UnTrack(o);
        memset((char *)n - COLLECTORS, 0, COLLECTORS);
    }
    if (!s) { release(s, n); return; } /* the interpreter is shutting down */
    s->tracked -= (n->flags & TRACKED) != 0;
    if (s->freeing) { dying(s, n); return; }
    Py_INCREF((PyObject *)t); /* behind it is the module, whose is the queue */
    s->freeing = 1;
    for (;;) {
        release(s, n);
        if (!(n = s->dying)) break;
        memcpy(&s->dying, &n->acc, sizeof s->dying);
    }
    s->freeing = 0;
    Py_DECREF((PyObject *)t);
}

/* -- making nodes ----------------------------------------------------------------------------------------------------- */

static PyObject *node_alloc(PyTypeObject *t, Py_ssize_t items) { /* of Value itself; a subclass has Python's */
    State *s = PyType_GetModuleState(t);
    Node *n = s && t == s->value ? blank(s) : PyObject_GC_New(Node, t);
    if (!n) return NULL;
    uint32_t own = s && t == s->value ? n->flags & OWN : 0;
    memset((char *)n + sizeof(PyObject), 0, sizeof(Node) - sizeof(PyObject));
    n->flags = own;
    return (PyObject *)n;
}

/* A row of the user's may be held by what it computes, and an operand may be in a ring already. */
static int wired(State *s, Node *n) {
    int see = !n->row->lasting;
    if (n->flags & MANY) for (Py_ssize_t i = 0; !see && i < OPERANDS(n)->n; i++) see = OPERANDS(n)->at[i].node && tracked(s, OPERANDS(n)->at[i].node);
    else see = see || (n->a && tracked(s, n->a)) || (n->b && tracked(s, n->b));
    return see ? track(s, n) : 0;
}

static INLINE PyObject *make(State *s, Row *row, PyObject *a, PyObject *b, double x, double y, double data) {
    Node *n = blank(s);
    if (!n) return NULL;
    Py_INCREF((PyObject *)row);
    n->a = hold(a); n->b = hold(b); n->x = x; n->y = y; n->data = data; n->grad = n->acc = 0.0;
    n->row = row; n->g = n->name = NULL; n->pending = n->uses = n->place = 0;
    if (!row->lasting || (a && NODE(a)->flags & TRACKED) || (b && NODE(b)->flags & TRACKED))
        if (track(s, n)) { Py_DECREF((PyObject *)n); return NULL; }
    return (PyObject *)n;
}

static PyObject *make_many(State *s, Row *row, Operands *all, double data) { /* takes over `all` */
    PyObject *o = make(s, row, NULL, NULL, 0.0, 0.0, data);
    if (!o) { operands_free(all); return NULL; }
    NODE(o)->a = (PyObject *)all;
    NODE(o)->flags |= MANY;
    if (wired(s, NODE(o))) { Py_DECREF(o); return NULL; }
    return o;
}

/* An operand of the frequent kinds: a Value itself, a float, an int that fits.  0: of another kind. */
static inline int operand(State *s, PyObject *o, PyObject **node, double *x) {
    if (Py_TYPE(o) == s->value) { *node = o; *x = NODE(o)->data; return 1; }
    *node = NULL;
    if (PyFloat_CheckExact(o)) { *x = PyFloat_AsDouble(o); return 1; }
    if (PyLong_CheckExact(o)) {
        *x = PyLong_AsDouble(o);
        if (*x != -1.0 || !PyErr_Occurred()) return 1;
        PyErr_Clear();
    }
    return 0;
}

static double divided(double x, double y) { /* the row's, whose nan has no sign */
    if (y != 0.0) return x / y;
    return x == 0.0 || x != x ? NAN : copysign(INFINITY, x) * copysign(1.0, y);
}

static PyObject *result_of(State *s, Row *row, PyObject *result, double *data) { /* steals `result`; NULL for an error */
    if (result && !PyFloat_CheckExact(result)) {
        PyObject *name = PyObject_GetAttrString((PyObject *)row, "name"), *as = result;
        PyObject *what = name ? PyUnicode_FromFormat("result of %U()", name) : NULL;
        result = what && !gone(s, s->as_float) ? PyObject_CallFunctionObjArgs(s->as_float, as, what, NULL) : NULL;
        Py_XDECREF(name); Py_XDECREF(what); Py_DECREF(as);
    }
    if (!result) return NULL;
    *data = PyFloat_AsDouble(result);
    Py_DECREF(result);
    return Py_None; /* borrowed: a sign that it went well */
}

static PyObject *call1(PyObject *f, double x) {
    PyObject *p = PyFloat_FromDouble(x), *r = p ? PyObject_CallFunctionObjArgs(f, p, NULL) : NULL;
    Py_XDECREF(p);
    return r;
}

static PyObject *call2(PyObject *f, double x, double y) {
    PyObject *p = PyFloat_FromDouble(x), *q = PyFloat_FromDouble(y), *r = p && q ? PyObject_CallFunctionObjArgs(f, p, q, NULL) : NULL;
    Py_XDECREF(p); Py_XDECREF(q);
    return r;
}

static PyObject *call3(PyObject *f, double x, double y, double z) {
    PyObject *p = PyFloat_FromDouble(x), *q = PyFloat_FromDouble(y), *o = PyFloat_FromDouble(z);
    PyObject *r = p && q && o ? PyObject_CallFunctionObjArgs(f, p, q, o, NULL) : NULL;
    Py_XDECREF(p); Py_XDECREF(q); Py_XDECREF(o);
    return r;
}

static PyObject *call4(PyObject *f, double g, double x, double y, double z) {
    PyObject *h = PyFloat_FromDouble(g), *p = PyFloat_FromDouble(x), *q = PyFloat_FromDouble(y), *o = PyFloat_FromDouble(z);
    PyObject *r = h && p && q && o ? PyObject_CallFunctionObjArgs(f, h, p, q, o, NULL) : NULL;
    Py_XDECREF(h); Py_XDECREF(p); Py_XDECREF(q); Py_XDECREF(o);
    return r;
}

static PyObject *apply1(State *s, Row *row, PyObject *a) {
    double x = NODE(a)->data, data;
    if (row->native == NEG) data = -x;
    else if (row->fresh && row->ramp) data = x <= 0.0 ? 0.0 : x;
    else if (fresh(row) || !result_of(s, row, call1(row->forward, x), &data)) return NULL;
    return make(s, row, a, NULL, x, 0.0, data);
}

static PyObject *apply2(State *s, Row *row, PyObject *a, PyObject *b, double x, double y) {
    double data;
    switch (row->native) {
    case ADD: data = x + y; break;
    case SUB: data = x - y; break;
    case MUL: data = x * y; break;
    case DIV: data = divided(x, y); break;
    default: if (fresh(row) || !result_of(s, row, call2(row->forward, x, y), &data)) return NULL;
    }
    return make(s, row, a, b, x, y, data);
}

/* A node just made, looked at as somebody watches. */
static PyObject *watched(State *s, PyObject *out) {
    if (!s->active || !out) return out;
    if (s->recording && PyThread_get_thread_ident() == s->recorder) {
        NODE(out)->place = (uint32_t)PyList_Size(s->recording) + 1;
        if (!PyList_Append(s->recording, out)) return out;
        Py_DECREF(out);
        return NULL;
    }
    PyObject *seen = gone(s, s->watched) ? NULL : PyObject_CallFunctionObjArgs(s->watched, out, NULL);
    Py_DECREF(out);
    return seen;
}

/* The operator on two of which at least one is ours. */
static PyObject *operator(PyObject *p, PyObject *q, int which) {
    State *s = NULL;
    PyObject *a, *b;
    double x, y;
    if (Py_TYPE(p) == Py_TYPE(q) || PyFloat_CheckExact(q) || PyLong_CheckExact(q)) s = state_of_node(NODE(p));
    else if (PyFloat_CheckExact(p) || PyLong_CheckExact(p)) s = state_of_node(NODE(q));
    if (s && s->rows[which] && operand(s, p, &a, &x) && operand(s, q, &b, &y))
        return watched(s, apply2(s, ROW(s->rows[which]), a, b, x, y));
    if ((s = state_behind(Py_TYPE(p), node_dealloc)))
        return gone(s, s->python[which][0]) ? NULL : PyObject_CallFunctionObjArgs(s->python[which][0], p, q, NULL);
    s = state_behind(Py_TYPE(q), node_dealloc);
    return gone(s, s ? s->python[which][1] : NULL) ? NULL : PyObject_CallFunctionObjArgs(s->python[which][1], q, p, NULL);
}

/* Of two Values themselves, which is nearly every operation of nearly every program, without a look at anything else. */
#define OF_TWO(NAME, AT, CODE, RESULT) \
static PyObject *NAME(PyObject *p, PyObject *q) { \
    State *s; \
    if (Py_TYPE(p) == Py_TYPE(q) && (s = state_of_node(NODE(p))) && Py_TYPE(p) == s->value && !s->active && s->rows[AT] && ROW(s->rows[AT])->native == CODE) { \
        double x = NODE(p)->data, y = NODE(q)->data; \
        return make(s, ROW(s->rows[AT]), p, q, x, y, RESULT); \
    } \
    return operator(p, q, AT); \
}

OF_TWO(node_add, AT_ADD, ADD, x + y)
OF_TWO(node_sub, AT_SUB, SUB, x - y)
OF_TWO(node_mul, AT_MUL, MUL, x * y)
OF_TWO(node_div, AT_DIV, DIV, divided(x, y))

static PyObject *node_floordiv(PyObject *p, PyObject *q) { return operator(p, q, AT_FLOORDIV); }
static PyObject *node_mod(PyObject *p, PyObject *q) { return operator(p, q, AT_MOD); }

static PyObject *node_pow(PyObject *p, PyObject *q, PyObject *modulus) {
    if (modulus == Py_None) return operator(p, q, AT_POW);
    State *s = state_behind(Py_TYPE(p), node_dealloc);
    if (!s) { Py_INCREF(Py_NotImplemented); return Py_NotImplemented; }
    return gone(s, s->python[AT_POW][0]) ? NULL : PyObject_CallFunctionObjArgs(s->python[AT_POW][0], p, q, modulus, NULL);
}

static PyObject *node_neg(PyObject *p) {
    State *s = state_of_node(NODE(p));
    if (Py_TYPE(p) == s->value && s->neg) return watched(s, apply1(s, ROW(s->neg), p));
    return gone(s, s->negative) ? NULL : PyObject_CallFunctionObjArgs(s->negative, p, NULL);
}

static int node_init(PyObject *o, PyObject *args, PyObject *kwargs) {
    Node *n = NODE(o);
    State *s = state_of_node(n);
    if (!s->active && !kwargs && PyTuple_Size(args) == 1 && !n->row && !n->g && !n->name && !(n->flags & ~(uint32_t)OWN) && PyFloat_CheckExact(PyTuple_GetItem(args, 0))) {
        n->data = PyFloat_AsDouble(PyTuple_GetItem(args, 0));
        n->y = (double)++s->clock;
        return 0;
    }
    if (gone(s, s->init)) return -1;
    Py_ssize_t many = PyTuple_Size(args);
    PyObject *all = PyTuple_New(many + 1), *done = NULL;
    if (!all) return -1;
    PyTuple_SetItem(all, 0, ref(o));
    for (Py_ssize_t i = 0; i < many; i++) PyTuple_SetItem(all, i + 1, ref(PyTuple_GetItem(args, i)));
    done = PyObject_Call(s->init, all, kwargs);
    Py_DECREF(all);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

/* -- the row as a function, and as a method --------------------------------------------------------------------------- */

/* The sum of the items, or of products of the first half with the second, from left to right as the rows add. */
static double added(const Operands *all, int native) {
    double total = 0.0;
    Py_ssize_t half = all->n / 2;
    if (native == DOT) for (Py_ssize_t i = 0; half + i < all->n; i++) total += all->at[i].x * all->at[half + i].x;
    else for (Py_ssize_t i = 0; i < all->n; i++) total += all->at[i].x;
    return native == MEAN ? (all->n ? total / (double)all->n : NAN) : total;
}

static PyObject *floats(const Operands *all) {
    PyObject *t = PyTuple_New(all->n);
    for (Py_ssize_t i = 0; t && i < all->n; i++) {
        PyObject *f = PyFloat_FromDouble(all->at[i].x);
        if (!f) Py_CLEAR(t);
        else PyTuple_SetItem(t, i, f);
    }
    return t;
}

/* The items of lists or tuples, of the frequent kinds; NULL without an error where some are not.  `nodes`: how many are. */
static Operands *items_of(State *s, PyObject *const *lists, Py_ssize_t many, Py_ssize_t *nodes) {
    Py_ssize_t n = 0, k = 0;
    for (Py_ssize_t i = 0; i < many; i++) n += PyList_Check(lists[i]) ? PyList_Size(lists[i]) : PyTuple_Size(lists[i]);
    Operands *all = operands_new(s, n);
    *nodes = 0;
    for (Py_ssize_t i = 0; all && i < many; i++) {
        int list = PyList_Check(lists[i]);
        Py_ssize_t size = list ? PyList_Size(lists[i]) : PyTuple_Size(lists[i]);
        for (Py_ssize_t j = 0; j < size; j++, k++) {
            PyObject *o = list ? PyList_GetItem(lists[i], j) : PyTuple_GetItem(lists[i], j);
            if (!operand(s, o, &all->at[k].node, &all->at[k].x) || (!all->at[k].node && !PyFloat_CheckExact(o))) {
                all->n = k;
                operands_free(all);
                return NULL;
            }
            hold(all->at[k].node);
            *nodes += all->at[k].node != NULL;
        }
    }
    return all;
}

static int is_plain_sequence(PyObject *o) { return PyList_CheckExact(o) || PyTuple_CheckExact(o); }

/* What a row gives for floats and Values; NULL without an error for others, and for floats alone while somebody watches. */
static PyObject *of_items(State *s, Row *row, PyObject *args) {
    Py_ssize_t nodes;
    double data;
    PyObject *out = NULL;
    Operands *all = items_of(s, &args, 1, &nodes);
    if (all && !nodes) out = s->active ? NULL : PyObject_Call(row->forward, args, NULL);
    else if (all) {
        PyObject *worth = floats(all);
        PyObject *result = worth ? PyObject_Call(row->forward, worth, NULL) : NULL;
        Py_XDECREF(worth);
        if (result_of(s, row, result, &data)) {
            if (row->arity == 1 || row->arity == 2)
                out = make(s, row, all->at[0].node, row->arity == 2 ? all->at[1].node : NULL, all->at[0].x,
                           row->arity == 2 ? all->at[1].x : 0.0, data);
            else { out = make_many(s, row, all, data); all = NULL; }
        }
    }
    operands_free(all);
    return out;
}

/* What a row gives for arguments of the frequent kinds; NULL without an error where Python must look at them, as at numbers
 * alone while somebody watches. */
static PyObject *applied(State *s, Row *row, PyObject *args) {
    Py_ssize_t n = PyTuple_Size(args), nodes;
    PyObject *a, *b, *gathered = NULL;
    double x, y, data;
    Operands *all;
    if (row->native >= SUM) {
        PyObject *lists[2] = {n > 0 ? PyTuple_GetItem(args, 0) : NULL, n > 1 ? PyTuple_GetItem(args, 1) : NULL};
        if (n != 1 + (row->native == DOT)) return NULL;
        for (Py_ssize_t i = 0; i < n; i++) if (!is_plain_sequence(lists[i])) return NULL;
        if (n == 2 && PyObject_Size(lists[0]) != PyObject_Size(lists[1])) return NULL;
        if (!(all = items_of(s, lists, n, &nodes))) return NULL;
        data = added(all, row->native);
        if (nodes) return make_many(s, row, all, data);
        operands_free(all);
        return s->active ? NULL : PyFloat_FromDouble(data);
    }
    if (row->settled) return NULL;
    if (!row->gather && row->arity == 1 && n == 1 && operand(s, PyTuple_GetItem(args, 0), &a, &x) && a) return apply1(s, row, a);
    if (!row->gather && row->arity == 2 && n == 2 && operand(s, PyTuple_GetItem(args, 0), &a, &x) &&
        operand(s, PyTuple_GetItem(args, 1), &b, &y) && (a || b)) return apply2(s, row, a, b, x, y);
    if (row->gather) {
        if (!(gathered = PyObject_Call(row->gather, args, NULL))) return NULL;
        args = gathered;
    } else if (row->arity >= 0 && n != row->arity) return NULL;
    PyObject *out = PyTuple_CheckExact(args) ? of_items(s, row, args) : NULL;
    Py_XDECREF(gathered);
    return out;
}

/* What was found in C, or what the Python method of that name gives. */
static PyObject *found_or(State *s, PyObject *found, PyObject *o, const char *name, PyObject *args, PyObject *kwargs) {
    if (found || PyErr_Occurred()) return found && Py_TYPE(found) == s->value ? watched(s, found) : found;
    PyObject *python = PyObject_GetAttrString(o, name), *out = python ? PyObject_Call(python, args, kwargs) : NULL;
    Py_XDECREF(python);
    return out;
}

static PyObject *row_call(PyObject *o, PyObject *args, PyObject *kwargs) {
    Row *row = ROW(o);
    if (fresh(row)) return NULL;
    return found_or(row->state, kwargs ? NULL : applied(row->state, row, args), o, "_call", args, kwargs);
}

static PyObject *row_apply(PyObject *o, PyObject *args) {
    Row *row = ROW(o);
    if (fresh(row)) return NULL;
    int whole = row->native < SUM && (row->arity < 0 || PyTuple_Size(args) == row->arity);
    return found_or(row->state, whole ? of_items(row->state, row, args) : NULL, o, "_apply", args, NULL);
}

static PyMethodDef row_methods[] = {
    {"apply", row_apply, METH_VARARGS, "The row of its arguments one by one, also where a call takes them in a list: ``logsumexp.apply(x, y)``."},
    {0}};

/* What one neuron gives, activation(dot(w, x) + b), in the nodes that its own call makes; NULL without an error where that
   has to be done by Python. */
static PyObject *neuron(State *s, PyObject *o, const Operands *x) {
    PyObject *of[3] = {0}, *z = NULL, *sum = NULL;
    Operands *all = NULL;
    Py_ssize_t n = x->n;
    for (int i = 0; i < 3; i++) if (!(of[i] = PyObject_GetAttr(o, s->attributes[i]))) goto no;
    PyObject *w = of[0], *b = of[1], *bend = of[2];
    if (!PyList_CheckExact(w) || PyList_Size(w) != n || Py_TYPE(b) != s->value) goto no;
    if (bend != Py_None && (state_behind(Py_TYPE(bend), row_dealloc) != s || !ROW(bend)->lasting || fresh(ROW(bend)) ||
                            ROW(bend)->arity != 1 || ROW(bend)->settled || ROW(bend)->gather)) goto no;
    if (!(all = operands_new(s, 2 * n))) goto no;
    double total = 0.0;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *each = PyList_GetItem(w, i);
        if (Py_TYPE(each) != s->value) { all->n = 0; goto no; }
        all->at[i].node = each;
        all->at[i].x = NODE(each)->data;
        all->at[n + i] = x->at[i];
        total += all->at[i].x * x->at[i].x;
    }
    for (Py_ssize_t i = 0; i < 2 * n; i++) hold(all->at[i].node);
    sum = make_many(s, ROW(s->dot), all, total);
    all = NULL;
    if (sum) z = apply2(s, ROW(s->rows[AT_ADD]), sum, b, total, NODE(b)->data);
    if (z && bend != Py_None) {
        PyObject *bent = apply1(s, ROW(bend), z);
        Py_DECREF(z);
        z = bent;
    }
    Py_XDECREF(sum);
no:
    if (all) { all->n = 0; operands_free(all); }
    for (int i = 0; i < 3; i++) Py_XDECREF(of[i]);
    return z;
}

/* layer(neurons, x, Neuron): the list of what they give, or None where Python must do it: the neurons and x are not of the
   frequent kinds, or somebody watches. */
static PyObject *core_layer(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    State *s = PyModule_GetState(module);
    PyObject *neurons = args[0], *out = NULL;
    Py_ssize_t nodes;
    Operands *x = NULL;
    if (s->active || !s->dot || ROW(s->dot)->native != DOT || ROW(s->rows[AT_ADD])->native != ADD || !PyList_CheckExact(neurons) ||
        !is_plain_sequence(args[1]) || !(x = items_of(s, args + 1, 1, &nodes)) || !(out = PyList_New(0))) goto no;
    for (Py_ssize_t i = 0; i < PyList_Size(neurons); i++) {
        PyObject *each = ref(PyList_GetItem(neurons, i)), *z = (PyObject *)Py_TYPE(each) == args[2] ? neuron(s, each, x) : NULL;
        Py_DECREF(each);
        if (!z || PyList_Append(out, z)) Py_CLEAR(out);
        Py_XDECREF(z);
        if (!out) break;
    }
no:
    operands_free(x);
    if (out || (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_AttributeError))) return out;
    PyErr_Clear(); /* Python finds it again, and says it */
    Py_RETURN_NONE;
}

typedef struct {
    PyObject_HEAD
    Vectorcall call;
    PyObject *row, *python;
    State *state;
} Method;

static PyObject *method_vectorcall(PyObject *o, PyObject *const *args, size_t nargsf, PyObject *names) {
    Method *m = (Method *)o;
    State *s = m->state;
    Py_ssize_t n = VECTORCALL_NARGS(nargsf), i, named = names ? PyTuple_Size(names) : 0;
    if (n == 1 && !named && Py_TYPE(args[0]) == s->value) return watched(s, apply1(s, ROW(m->row), args[0]));
    PyObject *all = PyTuple_New(n), *kwargs = named ? PyDict_New() : NULL, *out = NULL;
    for (i = 0; all && i < n; i++) PyTuple_SetItem(all, i, ref(args[i]));
    for (i = 0; kwargs && i < named; i++) if (PyDict_SetItem(kwargs, PyTuple_GetItem(names, i), args[n + i])) Py_CLEAR(kwargs);
    if (all && (kwargs || !named)) out = PyObject_Call(m->python, all, kwargs);
    Py_XDECREF(all); Py_XDECREF(kwargs);
    return out;
}

static PyObject *method_call(PyObject *o, PyObject *args, PyObject *kwargs) { return PyObject_Call(((Method *)o)->python, args, kwargs); }

static PyObject *method_get(PyObject *o, PyObject *self, PyObject *type) {
    Method *m = (Method *)o;
    if (!self || self == Py_None) return ref(o);
    return gone(m->state, m->state->bound) ? NULL : PyObject_CallFunctionObjArgs(m->state->bound, o, self, NULL);
}

static PyObject *method_attribute(PyObject *o, void *name) { return PyObject_GetAttrString(((Method *)o)->python, name); }
static PyObject *method_python(PyObject *o, void *_) { return ref(((Method *)o)->python); }
static PyObject *method_repr(PyObject *o) { return PyObject_Repr(((Method *)o)->python); }

static int method_traverse(PyObject *o, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(o)); Py_VISIT(((Method *)o)->row); Py_VISIT(((Method *)o)->python);
    return 0;
}

static int method_clear(PyObject *o) { Py_CLEAR(((Method *)o)->row); Py_CLEAR(((Method *)o)->python); return 0; }

static void method_dealloc(PyObject *o) { ended(o, method_clear); }

/* -- the attributes of a node ----------------------------------------------------------------------------------------- */

static PyObject *number(PyObject *node, double x) { return node ? ref(node) : PyFloat_FromDouble(x); }

static PyObject *operands_tuple(Node *n, int worth) {
    Py_ssize_t many = operands_of(n);
    PyObject *t = PyTuple_New(many);
    for (Py_ssize_t i = 0; t && i < many; i++) {
        PyObject *o = number(worth ? NULL : node_at(n, i), worth_at(n, i));
        if (!o) Py_CLEAR(t);
        else PyTuple_SetItem(t, i, o);
    }
    return t;
}

static PyObject *get_operand(PyObject *o, void *second) {
    Node *n = NODE(o);
    if (n->flags & MANY) return second ? PyFloat_FromDouble(0.0) : operands_tuple(n, 0);
    return second ? number(n->b, n->row ? n->y : 0.0) : number(n->a, n->x);
}

static PyObject *get_worth(PyObject *o, void *second) {
    Node *n = NODE(o);
    if (n->flags & MANY && !second) return operands_tuple(n, 1);
    return PyFloat_FromDouble(second ? n->y : n->x);
}

static int missing(PyObject *v) {
    if (!v) PyErr_SetString(PyExc_AttributeError, "an attribute of a Value cannot be deleted");
    return !v;
}

static int not_operand(PyObject *o) {
    if (PyFloat_CheckExact(o) || is_node(o)) return 0;
    PyErr_SetString(PyExc_TypeError, "an operand is a Value or a float");
    return 1;
}

/* Written by Python where it makes a node: operands first, then what they are worth, then the op. */
static int set_operand(PyObject *o, PyObject *v, void *second) {
    Node *n = NODE(o);
    if (missing(v) || !state_of_node(n)) return -1;
    if (!second && PyTuple_CheckExact(v)) {
        Py_ssize_t many = PyTuple_Size(v);
        Operands *all = operands_new(state_of_node(n), many);
        if (!all) return -1;
        for (Py_ssize_t i = 0; i < many; i++) {
            PyObject *each = PyTuple_GetItem(v, i);
            if (not_operand(each)) { all->n = i; operands_free(all); return -1; }
            all->at[i].node = PyFloat_CheckExact(each) ? NULL : hold(each);
            all->at[i].x = all->at[i].node ? 0.0 : PyFloat_AsDouble(each);
        }
        if (n->flags & MANY) operands_free(OPERANDS(n));
        else drop(n->a);
        n->a = (PyObject *)all;
        n->flags |= MANY;
        return 0;
    }
    if (n->flags & MANY) return 0; /* the second operand of many is none */
    PyObject **to = second ? &n->b : &n->a, *old = *to;
    if (not_operand(v)) return -1;
    *to = PyFloat_CheckExact(v) ? NULL : hold(v);
    if (!*to) *(second ? &n->y : &n->x) = PyFloat_AsDouble(v);
    drop(old);
    return 0;
}

static int set_worth(PyObject *o, PyObject *v, void *second) {
    Node *n = NODE(o);
    if (missing(v)) return -1;
    if (!second && PyTuple_CheckExact(v)) {
        if (!(n->flags & MANY) || OPERANDS(n)->n != PyTuple_Size(v)) { PyErr_SetString(PyExc_ValueError, "as many numbers as operands"); return -1; }
        for (Py_ssize_t i = 0; i < OPERANDS(n)->n; i++) OPERANDS(n)->at[i].x = PyFloat_AsDouble(PyTuple_GetItem(v, i));
    } else {
        double x = PyFloat_AsDouble(v);
        if (PyErr_Occurred()) return -1;
        if (second && !(n->flags & MANY)) n->y = x;
        else if (!second) n->x = x;
    }
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *get_data(PyObject *o, void *_) { return PyFloat_FromDouble(NODE(o)->data); }

static int set_data(PyObject *o, PyObject *v, void *_) {
    double x = missing(v) ? 0.0 : PyFloat_AsDouble(v);
    if (PyErr_Occurred()) return -1;
    NODE(o)->data = x;
    return 0;
}

static PyObject *get_grad(PyObject *o, void *_) {
    Node *n = NODE(o);
    State *s = state_of_node(n);
    if (n->g) return ref(n->g);
    return n->flags & GIVEN || !s->zero ? PyFloat_FromDouble(n->grad) : ref(s->zero);
}

static int set_grad(PyObject *o, PyObject *v, void *_) {
    Node *n = NODE(o);
    PyObject *old = n->g;
    if (missing(v)) return -1;
    n->g = ref(v); /* itself, by which an optimizer knows what it put there */
    if (!PyFloat_CheckExact(v) && track(state_of_node(n), n)) return -1;
    Py_XDECREF(old);
    return 0;
}

static PyObject *get_name(PyObject *o, void *_) { return ref(NODE(o)->name ? NODE(o)->name : Py_None); }

static int set_name(PyObject *o, PyObject *v, void *_) {
    Node *n = NODE(o);
    PyObject *old = n->name;
    if (missing(v)) return -1;
    n->name = v == Py_None ? NULL : ref(v);
    Py_XDECREF(old);
    return n->name && !PyUnicode_CheckExact(v) ? track(state_of_node(n), n) : 0;
}

static PyObject *get_op(PyObject *o, void *_) { return ref(NODE(o)->row ? (PyObject *)NODE(o)->row : Py_None); }

static int set_op(PyObject *o, PyObject *v, void *_) {
    Node *n = NODE(o);
    State *s = state_of_node(n);
    PyObject *old = (PyObject *)n->row;
    if (missing(v)) return -1;
    if (v != Py_None && state_behind(Py_TYPE(v), row_dealloc) != s) {
        PyErr_SetString(PyExc_TypeError, "the op of a Value is a row");
        return -1;
    }
    if (v != Py_None && fresh(ROW(v))) return -1;
    n->row = v == Py_None ? NULL : ROW(ref(v));
    Py_XDECREF(old);
    return n->row ? wired(s, n) : 0;
}

/* -- sweeps ----------------------------------------------------------------------------------------------------------- */

typedef struct {
    Stack ready, seen, inputs, order; /* order: the computed nodes that something flows to */
    State *s;
    int busy; /* nodes taken since signals were looked for */
    int quick; /* the edges are not counted: a node is ready when it has been given to as often as it is an operand */
    Py_ssize_t waiting; /* how many computed nodes have been met, but are not ready yet */
} Sweep;

/* A sweep at a time begins: with the stacks that the last one left. */
static Sweep begun(State *s) {
    Sweep w = {.ready = s->kept[0], .seen = s->kept[1], .inputs = s->kept[2], .order = s->kept[3], .s = s};
    memset(s->kept, 0, sizeof s->kept);
    s->sweeping = 1;
    return w;
}

static int signals(Sweep *w) {
    if (++w->busy < SIGNALS) return 0;
    w->busy = 0;
    return PyErr_CheckSignals();
}

static inline int is_input(Node *m) { return !m->row || m->flags & STOP; }

static inline int met(Sweep *w, Node *m) { /* the first time that an edge or seed leads to it */
    m->flags |= SEEN;
    m->acc = -0.0;
    m->pending = 0;
    SOON(m->a);
    SOON(m->b);
    return put(&w->seen, m);
}

static inline int count(Sweep *w, Node *m) {
    if (!m->row) return 0;
    if (!(m->flags & SEEN) && (met(w, m) || (!(m->flags & STOP) && put(&w->ready, m)))) return -1;
    m->pending++;
    return 0;
}

/* How many edges and seeds lead to each computed node. */
static int counted(Sweep *w, PyObject *const *roots, Py_ssize_t many) {
    for (Py_ssize_t i = 0; i < many; i++) if (count(w, NODE(roots[i]))) return -1;
    while (w->ready.n) {
        Node *n = w->ready.at[--w->ready.n];
        if (n->flags & MANY) {
            for (Py_ssize_t i = 0; i < OPERANDS(n)->n; i++) if (OPERANDS(n)->at[i].node && count(w, NODE(OPERANDS(n)->at[i].node))) return -1;
        } else if ((n->a && count(w, NODE(n->a))) || (n->b && count(w, NODE(n->b)))) return -1;
        if (signals(w)) return -1;
    }
    return 0;
}

static inline void awaited(Sweep *w, Node *m) { /* the same for a computed node where edges are not counted: it stands in no list */
    m->flags |= SEEN;
    m->acc = -0.0;
    m->pending = m->uses;
    w->waiting++;
    SOON(m->a);
    SOON(m->b);
}

/* Add d to what a node has gathered, nothing where nothing flows, and make it ready if that was the last. */
static INLINE int give(Sweep *w, PyObject *o, double d, int flows) {
    if (!o) return 0;
    Node *m = NODE(o);
    if (is_input(m)) {
        if (!(m->flags & SEEN) && met(w, m)) return -1;
        if (!(m->flags & PAST)) { m->flags |= PAST; if (put(&w->inputs, m)) return -1; }
        if (flows) { m->acc += d; m->flags |= HIT; }
        return 0;
    }
    if (w->quick && !(m->flags & SEEN)) awaited(w, m);
    if (flows) { m->acc += d; m->flags |= HIT; }
    if (--m->pending) return 0;
    w->waiting--;
    SOON(m->a);
    SOON(m->b);
    SOON((char *)m + 64);
    return put(&w->ready, m);
}

/* A number that a rule gave; 1: it is one of another kind, with which Python goes on. */
static int ruled(PyObject *result, double *d, int *flows) { /* steals the result; -1: an error */
    *flows = 1;
    if (!result) return -1;
    int status = 0;
    if (PyFloat_CheckExact(result)) *d = PyFloat_AsDouble(result);
    else if (result == Py_None) *flows = 0;
    else if (PyLong_Check(result)) { *d = PyLong_AsDouble(result); if (*d == -1.0 && PyErr_Occurred()) { PyErr_Clear(); status = 1; } }
    else status = 1;
    Py_DECREF(result);
    return status;
}

static int pass_all(Sweep *w, Node *n, double g) { /* rows of many operands, and rows with rules of their own kind */
    Row *row = n->row;
    Py_ssize_t many = operands_of(n);
    PyObject *found, *worth;
    double d = 0.0;
    int flows, status = 0, rule = row->kind == ANY_NUMBER;
    if (rule) {
        PyObject *data = PyFloat_FromDouble(n->data);
        worth = operands_tuple(n, 1);
        found = data && worth ? PyObject_CallFunctionObjArgs(row->rule, worth, data, NULL) : NULL;
        Py_XDECREF(worth); Py_XDECREF(data);
    } else {
        PyObject *adjoint = PyFloat_FromDouble(g);
        found = adjoint && !gone(w->s, w->s->contributions) ? PyObject_CallFunctionObjArgs(w->s->contributions, (PyObject *)n, adjoint, NULL) : NULL;
        Py_XDECREF(adjoint);
    }
    if (!found) return -1;
    Py_ssize_t given = PySequence_Size(found);
    if (given < 0) { PyErr_Clear(); status = 1; }
    else if (given != many) status = 1;
    for (Py_ssize_t i = 0; !status && i < many; i++) {
        PyObject *o = node_at(n, i);
        if (!o) continue;
        if ((status = ruled(PySequence_GetItem(found, i), &d, &flows))) break;
        if (rule && !flows) status = 1;
        else status = give(w, o, rule ? g * d : d, flows);
    }
    Py_DECREF(found);
    return status;
}

/* Pass on the adjoint of one node.  1: some rule gave what is no number; -1: an error. */
static int pass(Sweep *w, Node *n) {
    Row *row = n->row;
    double g = n->acc, x = n->x, y = n->y, z = n->data, d;
    int flows, status, hit = n->flags & HIT;
    n->flags &= ~(uint32_t)(SEEN | HIT); /* nothing leads to it any more */
    if (!hit) {
        if (w->quick && put(&w->seen, n)) return -1;
        if (n->flags & MANY) { for (Py_ssize_t i = 0; i < OPERANDS(n)->n; i++) if (give(w, OPERANDS(n)->at[i].node, 0.0, 0)) return -1; return 0; }
        return give(w, n->a, 0.0, 0) || give(w, n->b, 0.0, 0) ? -1 : 0;
    }
    if (put(&w->order, n)) return -1;
    switch (row->native) {
    case ADD: return give(w, n->a, g, 1) || give(w, n->b, g, 1) ? -1 : 0;
    case SUB: return give(w, n->a, g, 1) || give(w, n->b, -g, 1) ? -1 : 0;
    case MUL: return give(w, n->a, g * y, 1) || give(w, n->b, g * x, 1) ? -1 : 0;
    case DIV:
        d = fabs(g * z); /* the order that keeps clear of overflow and underflow, as the row `muldiv` has it */
        d = d <= DBL_MAX && (d >= DBL_MIN || fabs(g) >= 1.0 || z == 0.0) ? divided(g * z, y) : divided(g, y) * z;
        return give(w, n->a, divided(g, y), 1) || give(w, n->b, -d, 1) ? -1 : 0;
    case NEG: return give(w, n->a, -g, 1);
    case SUM: for (Py_ssize_t i = 0; i < OPERANDS(n)->n; i++) if (give(w, OPERANDS(n)->at[i].node, g, 1)) return -1; return 0;
    case MEAN: d = g * (1.0 / (double)OPERANDS(n)->n);
        for (Py_ssize_t i = 0; i < OPERANDS(n)->n; i++) if (give(w, OPERANDS(n)->at[i].node, d, 1)) return -1;
        return 0;
    case DOT: {
        Operands *all = OPERANDS(n);
        Py_ssize_t half = all->n / 2;
        for (Py_ssize_t i = 0; i < all->n; i++) if (give(w, all->at[i].node, g * all->at[i + half < all->n ? i + half : i + half - all->n].x, 1)) return -1;
        return 0; }
    }
    if (fresh(row)) return -1;
    if (row->kind > GENERAL) {
        for (int i = 0; i < 2; i++) {
            PyObject *o = i ? n->b : n->a, *rule = i ? row->second : row->first;
            if (!o) continue;
            d = row->slopes[i];
            if (!PyFloat_CheckExact(rule)) {
                status = ruled(row->kind >= BINARY ? call3(rule, x, y, z) : call2(rule, x, z), &d, &flows);
                if (status || !flows) return status ? status : 1;
            }
            if (give(w, o, g * d, 1)) return -1;
        }
        return 0;
    }
    if (row->above) return x > 0.0 ? give(w, n->a, g, 1) : x <= 0.0 ? give(w, n->a, 0.0, 0) : give(w, n->a, x, 1);
    if (row->kind == PRODUCT) {
        for (int i = 0; i < row->arity; i++) {
            PyObject *o = i ? n->b : n->a;
            if (!o) continue;
            status = ruled(row->arity == 1 ? call3(row->products[i], g, x, z) : call4(row->products[i], g, x, y, z), &d, &flows);
            if (status) return status;
            if (give(w, o, flows ? d : 0.0, flows)) return -1;
        }
        return 0;
    }
    return pass_all(w, n, g);
}

static void noted(State *s, Node *n) { /* an error of a rule says which op it is of */
    PyObject *type, *error, *trace;
    if (!PyErr_ExceptionMatches(PyExc_Exception) || !s->noted) return;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    PyObject *done = PyObject_CallFunctionObjArgs(s->noted, error, (PyObject *)n, NULL);
    if (!done) PyErr_Clear();
    Py_XDECREF(done);
    PyErr_Restore(type, error, trace);
}

/* The sweep over what waits; 1: Python must do it. */
static int flowing(Sweep *w, PyObject *const *roots, const double *seeds, Py_ssize_t many) {
    for (Py_ssize_t i = 0; i < many; i++) if (give(w, roots[i], seeds[i], 1)) return -1;
    while (w->ready.n) {
        Node *n = w->ready.at[--w->ready.n];
        int status = pass(w, n);
        if (status < 0) noted(w->s, n);
        if (status) return status;
        if (signals(w)) return -1;
    }
    return 0;
}

static void unmarked_node(PyObject *o) { if (o) NODE(o)->flags &= ~(uint32_t)(SEEN | HIT | PAST); }

static void forgotten(Sweep *w) { /* no marks on what was met, nor, as some stands in no list, on what edges lead to */
    Stack *all[] = {&w->seen, &w->order};
    for (int k = 0; k < 2; k++) for (Py_ssize_t i = 0; i < all[k]->n; i++) {
        Node *n = all[k]->at[i];
        unmarked_node((PyObject *)n);
        if (n->flags & MANY) for (Py_ssize_t j = 0; j < OPERANDS(n)->n; j++) unmarked_node(OPERANDS(n)->at[j].node);
        else { unmarked_node(n->a); unmarked_node(n->b); }
    }
}

/* The whole sweep, with `stop` as inputs that come first; 1: Python must do it.

   Mostly all that a node is an operand of leads to a root, and the edges need not be counted.  Where some nodes still wait in the
   end they were wanted elsewhere too, and all is done anew with counting; the same where a rule fails, so that it is the error of
   that order.  For some sweeps after that edges are counted at once. */
static int swept(Sweep *w, PyObject *const *roots, const double *seeds, Py_ssize_t many, const Stack *stop) {
    State *s = w->s;
    int status;
    w->quick = !s->doubtful;
    s->doubtful -= s->doubtful > 0;
    for (;;) {
        for (Py_ssize_t i = 0; i < stop->n; i++) {
            if (met(w, stop->at[i]) || put(&w->inputs, stop->at[i])) return -1;
            stop->at[i]->flags |= PAST;
        }
        for (Py_ssize_t i = 0; w->quick && i < many; i++) {
            Node *m = NODE(roots[i]);
            if (is_input(m)) continue;
            if (!(m->flags & SEEN)) {
                if (put(&w->seen, m)) return -1;
                awaited(w, m);
            }
            m->pending++;
        }
        status = !w->quick && counted(w, roots, many) ? -1 : flowing(w, roots, seeds, many);
        if (!w->quick || status > 0 || (status < 0 ? !PyErr_ExceptionMatches(PyExc_Exception) : !w->waiting)) return status;
        PyErr_Clear();
        forgotten(w);
        w->ready.n = w->seen.n = w->inputs.n = w->order.n = w->quick = 0;
        s->doubtful = DOUBTFUL;
    }
}

static void finish(Sweep *w, int whole) { /* whole: the marks of all computed nodes are gone already */
    if (!whole) forgotten(w);
    else for (Py_ssize_t i = 0; i < w->inputs.n; i++) unmarked_node((PyObject *)w->inputs.at[i]);
    w->s->sweeping = 0;
    Stack *used[] = {&w->ready, &w->seen, &w->inputs, &w->order};
    for (int i = 0; i < 4; i++) {
        if (used[i]->cap > STACK) PyMem_Free(used[i]->at);
        else { w->s->kept[i] = *used[i]; w->s->kept[i].n = 0; }
    }
}

/* Hand the gradients over, the totals of leaves worked out first: a step in which nothing else runs. */
static int committed(Sweep *w) {
    State *s = w->s;
    Py_ssize_t n = w->inputs.n, odd = 0, all = n + w->order.n;
    PyObject **totals = PyMem_Calloc(n + 1, sizeof *totals), **old = PyMem_Calloc(all + 1, sizeof *old), *done;
    int failed = !totals || !old;
    if (failed) PyErr_NoMemory();
    if (!failed) failed = gone(s, s->acquire) || !(done = PyObject_CallFunctionObjArgs(s->acquire, NULL));
    if (failed) { PyMem_Free(totals); PyMem_Free(old); return -1; }
    Py_DECREF(done);
    for (Py_ssize_t i = 0; !failed && i < n; i++) {
        Node *leaf = w->inputs.at[i];
        if (!(leaf->flags & HIT) || !leaf->g || PyFloat_CheckExact(leaf->g) || leaf->g == Py_None) continue;
        PyObject *d = PyFloat_FromDouble(leaf->acc); /* its gradient is a Value, or a number of another kind */
        totals[i] = d ? PyObject_CallFunctionObjArgs(s->sum, leaf->g, d, Py_False, NULL) : NULL;
        Py_XDECREF(d);
        failed = !totals[i];
    }
    for (Py_ssize_t i = 0; !failed && i < n; i++) {
        Node *leaf = w->inputs.at[i];
        if (!(leaf->flags & HIT)) continue;
        old[odd++] = leaf->g;
        if (!totals[i]) {
            leaf->grad = (!leaf->g ? leaf->flags & GIVEN ? leaf->grad : 0.0 : leaf->g == Py_None ? 0.0 : PyFloat_AsDouble(leaf->g)) + leaf->acc;
            leaf->flags |= GIVEN;
        }
        leaf->g = totals[i];
        totals[i] = NULL;
    }
    for (Py_ssize_t i = 0; !failed && i < w->order.n; i++) {
        Node *node = w->order.at[i];
        if (i + 8 < w->order.n) SOON((char *)w->order.at[i + 8] + 64);
        if (node->g) { old[odd++] = node->g; node->g = NULL; }
        node->grad = node->acc;
        node->flags |= GIVEN;
    }
    if (!failed) for (Py_ssize_t i = 0; i < n; i++) if (w->inputs.at[i]->g && !PyFloat_CheckExact(w->inputs.at[i]->g)) failed |= track(s, w->inputs.at[i]);
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    done = PyObject_CallFunctionObjArgs(s->release, NULL);
    if (!done) PyErr_Clear();
    Py_XDECREF(done);
    PyErr_Restore(type, error, trace);
    for (Py_ssize_t i = 0; i < odd; i++) Py_XDECREF(old[i]);
    for (Py_ssize_t i = 0; i < n; i++) Py_XDECREF(totals[i]);
    PyMem_Free(totals); PyMem_Free(old);
    return failed ? -1 : 0;
}

/* backward(root, gradient): True, or False where Python must do it. */
static PyObject *core_backward(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = PyModule_GetState(module);
    double seed = PyFloat_AsDouble(args[1]);
    if (PyErr_Occurred()) return NULL;
    if (s->sweeping || !is_node(args[0])) Py_RETURN_FALSE; /* a rule, a signal's handler or another thread sweeps */
    Sweep w = begun(s);
    int status = swept(&w, args, &seed, 1, &(Stack){0});
    int whole = !status;
    if (!status) status = committed(&w);
    finish(&w, whole);
    return status < 0 ? NULL : PyBool_FromLong(!status);
}

static int marked(PyObject *stop, uint32_t flag, Stack *nodes) { /* set a flag on the nodes of a collection, and list them */
    PyObject *it = PyObject_GetIter(stop), *o;
    if (!it) return -1;
    while ((o = PyIter_Next(it))) {
        int failed = is_node(o) ? put(nodes, NODE(o)) : (PyErr_SetString(PyExc_TypeError, "a node is a Value"), -1);
        if (failed) { Py_DECREF(o); break; }
        NODE(o)->flags |= flag; /* `unmarked` lets go of it */
    }
    Py_DECREF(it);
    return PyErr_Occurred() ? -1 : 0;
}

static void unmarked(uint32_t flag, Stack *nodes) {
    for (Py_ssize_t i = 0; i < nodes->n; i++) { nodes->at[i]->flags &= ~flag; Py_DECREF((PyObject *)nodes->at[i]); }
    PyMem_Free(nodes->at);
}

static int enter(PyObject *dict, Node *n) {
    PyObject *d = PyFloat_FromDouble(n->acc);
    int failed = !d || PyDict_SetItem(dict, (PyObject *)n, d);
    Py_XDECREF(d);
    return failed;
}

/* reverse(seeds, stop, computed): (inputs, nodes, grads, unreached), or None where Python must do it. */
static PyObject *core_reverse(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = PyModule_GetState(module);
    Py_ssize_t many = PyDict_Size(args[0]), at = 0, i = 0;
    PyObject *key, *value, *out = NULL, *found[4] = {0};
    if (many < 0) return NULL;
    if (s->sweeping) Py_RETURN_NONE;
    PyObject **roots = PyMem_Malloc((many + 1) * sizeof *roots);
    double *seeds = PyMem_Malloc((many + 1) * sizeof *seeds);
    Stack stop = {0};
    int status = roots && seeds ? 0 : (PyErr_NoMemory(), -1), computed = PyObject_IsTrue(args[2]);
    while (!status && PyDict_Next(args[0], &at, &key, &value)) {
        if (!PyFloat_CheckExact(value) || !is_node(key)) { status = 1; break; }
        roots[i] = ref(key);
        seeds[i++] = PyFloat_AsDouble(value);
    }
    Sweep w = begun(s);
    if (!status) status = marked(args[1], STOP, &stop);
    if (!status) status = swept(&w, roots, seeds, i, &stop);
    int whole = !status;
    if (!status) {
        found[0] = PyDict_New(); found[1] = PyList_New(computed ? w.order.n : 0);
        found[2] = PyList_New(computed ? w.order.n : 0); found[3] = PyList_New(0);
        if (!found[0] || !found[1] || !found[2] || !found[3]) status = -1;
        for (Py_ssize_t k = 0; !status && k < w.inputs.n; k++)
            if (w.inputs.at[k]->flags & HIT ? enter(found[0], w.inputs.at[k]) : PyList_Append(found[3], (PyObject *)w.inputs.at[k])) status = -1;
        for (Py_ssize_t k = 0; computed && !status && k < w.order.n; k++) {
            PyObject *d = PyFloat_FromDouble(w.order.at[k]->acc);
            if (!d) { status = -1; break; }
            PyList_SetItem(found[1], k, ref((PyObject *)w.order.at[k]));
            PyList_SetItem(found[2], k, d);
        }
        if (!status) out = PyTuple_Pack(4, found[0], found[1], found[2], found[3]);
    }
    finish(&w, whole);
    for (Py_ssize_t k = 0; k < 4; k++) Py_XDECREF(found[k]);
    for (Py_ssize_t k = 0; k < i; k++) Py_DECREF(roots[k]);
    unmarked(STOP, &stop);
    PyMem_Free(roots); PyMem_Free(seeds);
    if (status > 0) Py_RETURN_NONE;
    return out;
}

/* order(roots, stop): the list of computed nodes, results first, or None where Python must do it. */
static PyObject *core_order(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = PyModule_GetState(module);
    Stack roots = {0}, stop = {0};
    PyObject *out = NULL;
    if (s->sweeping) Py_RETURN_NONE;
    Sweep w = begun(s);
    if (marked(args[1], STOP, &stop) || marked(args[0], 0, &roots)) goto no;
    if (counted(&w, (PyObject *const *)roots.at, roots.n)) goto no;
    w.ready.n = 0;
    for (Py_ssize_t i = 0; i < roots.n; i++) if (roots.at[i]->row && put(&w.ready, roots.at[i])) goto no;
    while (w.ready.n) {
        Node *node = w.ready.at[--w.ready.n];
        if (--node->pending || node->flags & STOP) continue;
        if (put(&w.order, node)) goto no;
        for (Py_ssize_t i = 0; i < operands_of(node); i++) {
            Node *m = NODE(node_at(node, i));
            if (m && m->row && put(&w.ready, m)) goto no;
        }
        if (signals(&w)) goto no;
    }
    if ((out = PyList_New(w.order.n)))
        for (Py_ssize_t i = 0; i < w.order.n; i++) PyList_SetItem(out, i, ref((PyObject *)w.order.at[i]));
no:
    finish(&w, 0);
    unmarked(0, &roots);
    unmarked(STOP, &stop);
    return out;
}

static PyObject *core_operands(PyObject *module, PyObject *o) {
    if (Py_TYPE(o) != ((State *)PyModule_GetState(module))->value && !is_node(o)) { PyErr_SetString(PyExc_TypeError, "a node is a Value"); return NULL; }
    return operands_tuple(NODE(o), 0);
}

static PyObject *core_values(PyObject *module, PyObject *o) {
    if (Py_TYPE(o) != ((State *)PyModule_GetState(module))->value && !is_node(o)) { PyErr_SetString(PyExc_TypeError, "a node is a Value"); return NULL; }
    return operands_tuple(NODE(o), 1);
}

#include "_entry.h"
#include "_batch.h"
#include "_program.h"
#include "_trace.h"

/* -- the module ------------------------------------------------------------------------------------------------------- */

static PyGetSetDef node_attributes[] = {
    {"_a", get_operand, set_operand, "The first operand; a tuple of all where there are more than two.", NULL},
    {"_b", get_operand, set_operand, "The second operand; the float 0.0 where there is none.", (void *)1},
    {"_x", get_worth, set_worth, "What `_a` was worth when the node was made.", NULL},
    {"_y", get_worth, set_worth, "What `_b` was worth; of a leaf, when it was made.", (void *)1},
    {"_data", get_data, set_data, "The number.", NULL},
    {"grad", get_grad, set_grad, "The gradient.", NULL},
    {"name", get_name, set_name, "How messages and pictures call it.", NULL},
    {"op", get_op, set_op, "The row that computed it; None of a leaf.", NULL},
    {0}};

static PyType_Slot node_slots[] = {
    {Py_nb_add, node_add}, {Py_nb_subtract, node_sub}, {Py_nb_multiply, node_mul}, {Py_nb_true_divide, node_div},
    {Py_nb_floor_divide, node_floordiv}, {Py_nb_remainder, node_mod}, {Py_nb_power, node_pow}, {Py_nb_negative, node_neg},
    {Py_tp_init, node_init}, {Py_tp_alloc, node_alloc}, {Py_tp_dealloc, node_dealloc}, {Py_tp_traverse, node_traverse},
    {Py_tp_clear, node_clear}, {Py_tp_getset, node_attributes}, {0}};

static PyMemberDef row_members[] = {{0}};
static PyType_Slot row_slots[] = {
    {Py_tp_call, row_call}, {Py_tp_setattro, row_setattro}, {Py_tp_dealloc, row_dealloc}, {Py_tp_traverse, row_traverse},
    {Py_tp_clear, row_clear}, {Py_tp_members, row_members}, {Py_tp_methods, row_methods}, {0}};
static PyType_Spec row_spec = {"autograd_lite._core.Row", sizeof(Row), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, row_slots};

static PyMemberDef method_members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(Method, call), READONLY, NULL}, {0}};
static PyGetSetDef method_attributes[] = {
    {"__doc__", method_attribute, NULL, NULL, "__doc__"}, {"__name__", method_attribute, NULL, NULL, "__name__"},
    {"__qualname__", method_attribute, NULL, NULL, "__qualname__"}, {"__module__", method_attribute, NULL, NULL, "__module__"},
    {"__wrapped__", method_python, NULL, NULL, NULL}, {0}};
static PyType_Slot method_slots[] = {
    {Py_tp_call, method_call}, {Py_tp_descr_get, method_get}, {Py_tp_repr, method_repr}, {Py_tp_dealloc, method_dealloc},
    {Py_tp_traverse, method_traverse}, {Py_tp_clear, method_clear}, {Py_tp_members, method_members}, {Py_tp_getset, method_attributes}, {0}};
static PyType_Spec method_spec = {"autograd_lite._core.Method", sizeof(Method), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_METHOD_DESCRIPTOR | VECTORCALL_FLAG, method_slots};

/* method(row, function): the method that applies a row to one Value; the function where it is no frequent case. */
static PyObject *core_method(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = PyModule_GetState(module);
    Method *m = PyObject_GC_New(Method, s->method);
    if (!m) return NULL;
    m->call = method_vectorcall; m->row = ref(args[0]); m->python = ref(args[1]); m->state = s;
    PyObject_GC_Track((PyObject *)m);
    return (PyObject *)m;
}

/* storage(name, bases): the type whose instances are nodes. */
static PyObject *core_storage(PyObject *module, PyObject *args) {
    State *s = PyModule_GetState(module);
    const char *name;
    PyObject *bases;
    if (!PyArg_ParseTuple(args, "sO!", &name, &PyTuple_Type, &bases)) return NULL;
    PyType_Spec spec = {name, sizeof(Node), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, node_slots};
    PyObject *made = PyType_FromModuleAndSpec(module, &spec, bases), *old = (PyObject *)s->value;
    if (!made) return NULL;
    s->value = (PyTypeObject *)ref(made);
    Py_XDECREF(old);
    return made;
}

static int keep(PyObject **to, PyObject *from, const char *name) {
    PyObject *o = PyDict_GetItemString(from, name), *old = *to;
    if (!o) { PyErr_SetString(PyExc_KeyError, name); return -1; }
    *to = ref(o);
    Py_XDECREF(old);
    return 0;
}

/* adopt(functions, operators, natives, lasting): the Python that is called where a case is not frequent, by name; for each
   operator (row, method, reflected); the rows computed here in the order of the enumeration; all rows of the table. */
static PyObject *core_adopt(PyObject *module, PyObject *args) {
    State *s = PyModule_GetState(module);
    PyObject *f, *operators, *natives, *lasting, *o;
    if (!PyArg_ParseTuple(args, "O!O!O!O!", &PyDict_Type, &f, &PyList_Type, &operators, &PyList_Type, &natives, &PyList_Type, &lasting)) return NULL;
    if (keep(&s->init, f, "init") || keep(&s->negative, f, "negative") || keep(&s->contributions, f, "contributions") ||
        keep(&s->sum, f, "sum") || keep(&s->noted, f, "noted") || keep(&s->acquire, f, "acquire") || keep(&s->release, f, "release") || keep(&s->watched, f, "watched") ||
        keep(&s->as_float, f, "as_float") || keep(&s->bound, f, "bound") || keep(&s->edges, f, "edges") || keep(&s->flow, f, "flow") || keep(&s->product, f, "product") ||
        keep(&s->ramp, f, "ramp") || keep(&s->above, f, "above")) return NULL;
    for (Py_ssize_t i = 0; i < PyList_Size(lasting); i++) {
        o = PyList_GetItem(lasting, i);
        if (state_behind(Py_TYPE(o), row_dealloc) != s) { PyErr_SetString(PyExc_TypeError, "rows are wanted"); return NULL; }
        if (fresh(ROW(o))) return NULL;
        ROW(o)->lasting = 1;
    }
    if (PyList_Size(natives) != NATIVE - 1 || PyList_Size(operators) != OPERATORS) { PyErr_SetString(PyExc_ValueError, "all rows are wanted"); return NULL; }
    for (int i = 1; i < NATIVE; i++) ROW(PyList_GetItem(natives, i - 1))->native = i;
    for (int i = 0; i < OPERATORS; i++) {
        PyObject *row, *method, *reflected;
        if (!PyArg_ParseTuple(PyList_GetItem(operators, i), "OOO", &row, &method, &reflected)) return NULL;
        Py_XDECREF(s->rows[i]); Py_XDECREF(s->python[i][0]); Py_XDECREF(s->python[i][1]);
        s->rows[i] = ref(row); s->python[i][0] = ref(method); s->python[i][1] = ref(reflected);
    }
    Py_XDECREF(s->neg); Py_XDECREF(s->dot);
    s->neg = ref(PyList_GetItem(natives, NEG - 1));
    s->dot = ref(PyList_GetItem(natives, DOT - 1));
    Py_RETURN_NONE;
}

/* watch(n, values): how many watches there are; the list of the trace, if all nodes of this thread go to it, else None. */
static PyObject *core_watch(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = PyModule_GetState(module);
    PyObject *old = s->recording, *values = n > 1 && PyList_CheckExact(args[1]) ? args[1] : NULL;
    long active = PyLong_AsLong(args[0]);
    if (active == -1 && PyErr_Occurred()) return NULL;
    s->active = active;
    s->recorder = PyThread_get_thread_ident();
    s->recording = values;
    Py_XINCREF(values);
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static PyObject *core_clock(PyObject *module, PyObject *_) { return PyLong_FromUnsignedLongLong(++((State *)PyModule_GetState(module))->clock); }

static PyMethodDef functions[] = {
    {"adopt", core_adopt, METH_VARARGS, "Take over the Python that is called where a case is not frequent."},
    {"storage", core_storage, METH_VARARGS, "The type whose instances are nodes."},
    {"method", (PyCFunction)(void (*)(void))core_method, METH_FASTCALL, "The method that applies a row to one Value."},
    {"layer", (PyCFunction)(void (*)(void))core_layer, METH_FASTCALL, "What the neurons of a layer give for one input."},
    {"entry", core_entry, METH_VARARGS, "The entry of jitted calls for a short program."},
    {"batch", core_batch, METH_VARARGS, "The entry of jitted calls for a batch in machine code."},
    {"machine", core_machine, METH_VARARGS, "Machine code as a function of whole numbers."},
    {"enter", (PyCFunction)(void (*)(void))core_enter, METH_FASTCALL, "Let what jit gives go to an entry at once."},
    {"role", core_role, METH_VARARGS, "Set a role of rows."},
    {"renumbered", (PyCFunction)(void (*)(void))core_renumbered, METH_FASTCALL, "Operands with values in other places."},
    {"rewrite", core_rewrite, METH_VARARGS, "A program as rules rewrite it."},
    {"watch", (PyCFunction)(void (*)(void))core_watch, METH_FASTCALL, "How many watches there are, and what records all nodes of this thread."},
    {"number", (PyCFunction)(void (*)(void))core_number, METH_FASTCALL, "The place of a Value in a trace."},
    {"instructions", (PyCFunction)(void (*)(void))core_instructions, METH_FASTCALL, "The instructions of the nodes of a trace."},
    {"reverse_nodes", (PyCFunction)(void (*)(void))core_reverse_nodes, METH_FASTCALL, "The adjoints, as nodes, of what the seeded nodes depend on."},
    {"linear_form", core_linear_form, METH_O, "A graph as a linear form whose edges are nodes."},
    {"pulls", (PyCFunction)(void (*)(void))core_pulls, METH_FASTCALL, "Rows of a Jacobian through a linear form."},
    {"clock", core_clock, METH_NOARGS, "One count for each leaf made."},
    {"backward", (PyCFunction)(void (*)(void))core_backward, METH_FASTCALL, "Sweep from a root and hand the gradients over."},
    {"reverse", (PyCFunction)(void (*)(void))core_reverse, METH_FASTCALL, "The adjoints of what the seeded nodes depend on."},
    {"order", (PyCFunction)(void (*)(void))core_order, METH_FASTCALL, "The computed nodes that the roots need."},
    {"operands", core_operands, METH_O, "The operands of a node in order, repeats kept; none of a leaf."},
    {"values", core_values, METH_O, "What the operands were worth when the node was made."},
    {0}};

static int core_exec(PyObject *module) {
    State *s = PyModule_GetState(module);
    s->row = (PyTypeObject *)PyType_FromModuleAndSpec(module, &row_spec, NULL);
    s->method = (PyTypeObject *)PyType_FromModuleAndSpec(module, &method_spec, NULL);
    s->entry = (PyTypeObject *)PyType_FromModuleAndSpec(module, &entry_spec, NULL);
    s->called = (PyTypeObject *)PyType_FromModuleAndSpec(module, &called_spec, NULL);
    s->zero = PyFloat_FromDouble(0.0);
    s->machine = (PyTypeObject *)PyType_FromModuleAndSpec(module, &machine_spec, NULL);
    s->batch = (PyTypeObject *)PyType_FromModuleAndSpec(module, &batch_spec, NULL);
    if (!s->batch || !s->row || !s->method || !s->entry || !s->called || !s->machine || !s->zero) return -1;
    s->first = 1;
    s->due = CHUNK / SLOT;
#ifndef __SANITIZE_ADDRESS__ /* which sees more where each node is a piece of memory of its own */
    s->own = Py_Version < KNOWN;
#endif
    static const char *const names[] = {"w", "b", "activation"};
    for (int i = 0; i < 3; i++) if (!(s->attributes[i] = PyUnicode_InternFromString(names[i]))) return -1;
    if (PyModule_AddObjectRef(module, "Called", (PyObject *)s->called)) return -1;
    return PyModule_AddIntConstant(module, "VERSION", VERSION) ? -1 : PyModule_AddObjectRef(module, "Row", (PyObject *)s->row);
}

#define EACH(F) do { F(s->value); F(s->row); F(s->method); F(s->entry); F(s->called); F(s->machine); F(s->batch); F(s->zero); F(s->init); F(s->negative); F(s->contributions); F(s->sum); \
    F(s->noted); F(s->acquire); F(s->release); F(s->as_float); F(s->bound); F(s->watched); F(s->edges); F(s->flow); F(s->product); F(s->recording); F(s->neg); F(s->dot); F(s->ramp); F(s->above); \
    for (int i = 0; i < 3; i++) F(s->attributes[i]); \
    for (int i = 0; i < OPERATORS; i++) { F(s->rows[i]); F(s->python[i][0]); F(s->python[i][1]); } } while (0)

static int core_traverse(PyObject *module, visitproc visit, void *arg) {
    State *s = PyModule_GetState(module);
    if (s) EACH(Py_VISIT);
    return 0;
}

static int core_clear(PyObject *module) {
    State *s = PyModule_GetState(module);
    if (!s) return 0;
    left(s, 0);
    for (int i = 0; i < 4; i++) { PyMem_Free(s->kept[i].at); s->kept[i] = (Stack){0}; }
    EACH(Py_CLEAR);
    return 0;
}

static void core_free(void *module) {
    State *s = PyModule_GetState(module);
    core_clear(module);
    if (s) left(s, 1);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, core_exec}, {0}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "autograd_lite._core", "The engine's node, operators and reverse sweep in C.",
    sizeof(State), functions, module_slots, core_traverse, core_clear, core_free};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
