/* Passes over long programs: what compiler/simplify.py and program.py do, to the same programs.

   No rule is written here.  What rules make of an instruction depends on its kind alone: its op, its constants, which of its
   values are the same one, and how those are made that rules look into.  Python is asked once for each kind, about places
   0, 1, ... in the stead of values, and its answer serves all instructions of that kind.  Part of `_core.c`. */

/* An operand: the bits of a constant, or the number of a value with VALUE in front of it, which are the bits of no nan here. */
typedef uint64_t Operand;
#define VALUE ((Operand)0xFFFC << 48)
enum { SUBJECT = 1, COMMUTES = 2, LOOKED_INTO = 4, LIFTS = 8, ORDINARY = 16 };
/* roles of rows: rules speak of it; operands may be swapped; rules ask what it was made of; makes inputs of transforms;
   beside a value that rules do not look into, constants but 0, 1 and -1 are all the same to rules, and nothing */

typedef struct { Operand *at; size_t n, cap; } Words;
typedef struct { uint32_t *at; size_t n, cap; } Table; /* by hash, of numbers of what is in a list, + 1; a power of two long */
typedef struct { PyObject *op; size_t at, n; uint64_t hash; Operand result; } Seen;
typedef struct { size_t at, n; uint64_t hash; PyObject *answer; } Kind;

typedef struct {
    size_t inputs;
    PyObject *decide, *type; /* type: one that is known to be that of rows */
    Words refs, words, ids;  /* operands of all that was seen; those of kinds; the values of the kind that is looked at */
    Seen *seen;
    Kind *kinds;
    uint32_t *made; /* of each new instruction the number of what was seen */
    size_t seen_n, seen_cap, kinds_n, kinds_cap, made_n, made_cap;
    Table by_key, by_kind;
    int depth;
} Rewriting;

static int room(void *list, size_t n, size_t *cap, size_t size) { /* for another one */
    if (n < *cap) return 0;
    size_t more = *cap ? 2 * *cap : 256;
    void *at = PyMem_Realloc(*(void **)list, more * size);
    if (!at) { PyErr_NoMemory(); return -1; }
    *(void **)list = at;
    *cap = more;
    return 0;
}

static inline int push(Words *w, Operand ref) {
    if (room(&w->at, w->n, &w->cap, sizeof ref)) return -1;
    w->at[w->n++] = ref;
    return 0;
}

static inline int is_value(Operand ref) { return ref >= VALUE; }

static int operand_of(PyObject *o, Operand *to) {
    if (PyLong_CheckExact(o)) {
        long long number = PyLong_AsLongLong(o);
        *to = VALUE | (Operand)number;
        if (number >= 0 && number < 0xFFFFFFFF) return 0;
    } else if (PyFloat_CheckExact(o)) {
        double x = PyFloat_AsDouble(o);
        if (x != x) x = NAN;
        memcpy(to, &x, sizeof x);
        return 0;
    }
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "an operand of a program is the number of a value, or a float");
    return -1;
}

static inline uint64_t mixed(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

static int enlarged(Table *t, const void *list, size_t size, size_t hash_at) { /* twice as long, or the first time */
    size_t cap = t->cap ? 2 * t->cap : 1024;
    uint32_t *at = PyMem_Calloc(cap, sizeof *at);
    if (!at) { PyErr_NoMemory(); return -1; }
    for (size_t i = 0; i < t->n; i++) {
        uint64_t hash;
        memcpy(&hash, (const char *)list + i * size + hash_at, sizeof hash);
        size_t k = hash & (cap - 1);
        while (at[k]) k = (k + 1) & (cap - 1);
        at[k] = (uint32_t)i + 1;
    }
    PyMem_Free(t->at);
    t->at = at;
    t->cap = cap;
    return 0;
}

static void entered(Table *t, uint64_t hash) { /* what comes next in the list */
    size_t k = hash & (t->cap - 1);
    while (t->at[k]) k = (k + 1) & (t->cap - 1);
    t->at[k] = (uint32_t)++t->n;
}

/* An operand of what rules have answered, or of an old program: as it stands in this one. */
static PyObject *operand_object(Operand ref) {
    double x;
    if (is_value(ref)) return PyLong_FromUnsignedLongLong(ref & ~VALUE);
    memcpy(&x, &ref, sizeof x);
    return PyFloat_FromDouble(x);
}

static PyObject *operand_objects(const Operand *refs, size_t n) {
    PyObject *t = PyTuple_New(n);
    for (size_t i = 0; t && i < n; i++) {
        PyObject *o = operand_object(refs[i]);
        if (!o) Py_CLEAR(t);
        else PyTuple_SetItem(t, i, o);
    }
    return t;
}

static int place_in(Words *ids, Operand ref, Operand *place) { /* that of a value in a kind; of a constant itself */
    *place = ref;
    if (!is_value(ref)) return 0;
    for (size_t i = 0; i < ids->n; i++) if (ids->at[i] == ref) { *place = VALUE | i; return 0; }
    *place = VALUE | ids->n;
    return push(ids, ref);
}

static Seen *maker(Rewriting *r, Operand ref) { /* what makes a value, if rules look into it */
    size_t number = ref & ~VALUE;
    if (number < r->inputs) return NULL;
    Seen *s = &r->seen[r->made[number - r->inputs]];
    return ROW(s->op)->role & LOOKED_INTO ? s : NULL;
}

/* The kind of an instruction, behind the words of the kinds that are known; how many of its values are operands. */
static int kind_of(Rewriting *r, PyObject *op, size_t at, size_t n, size_t *direct) {
    Operand place;
    r->ids.n = 0;
    if (push(&r->words, (Operand)(uintptr_t)op) || push(&r->words, n)) return -1;
    for (size_t i = 0; i < n; i++) if (place_in(&r->ids, r->refs.at[at + i], &place) || push(&r->words, place)) return -1;
    *direct = r->ids.n;
    for (size_t i = 0; i < *direct; i++) {
        Seen *s = maker(r, r->ids.at[i]);
        if (push(&r->words, s ? (Operand)(uintptr_t)s->op : 0)) return -1;
        for (size_t j = 0; s && j < s->n; j++) if (place_in(&r->ids, r->refs.at[s->at + j], &place) || push(&r->words, place)) return -1;
    }
    return 0;
}

/* What Python says of the kind whose words begin there. */
static PyObject *asked(Rewriting *r, PyObject *op, size_t at, size_t n, size_t direct) {
    const Operand *word = r->words.at + at + 2;
    PyObject *args = operand_objects(word, n), *makers = args ? PyDict_New() : NULL, *answer = NULL;
    word += n;
    for (size_t i = 0; makers && i < direct; i++) {
        Seen *s = maker(r, r->ids.at[i]);
        word++;
        if (!s) continue;
        PyObject *inside = operand_objects(word, s->n), *place = operand_object(VALUE | i), *pair = inside && place ? PyTuple_Pack(2, s->op, inside) : NULL;
        word += s->n;
        if (!pair || PyDict_SetItem(makers, place, pair)) Py_CLEAR(makers);
        Py_XDECREF(inside); Py_XDECREF(place); Py_XDECREF(pair);
    }
    if (makers) answer = PyObject_CallFunctionObjArgs(r->decide, op, args, makers, NULL);
    Py_XDECREF(args); Py_XDECREF(makers);
    return answer;
}

static PyObject *answer_to(Rewriting *r, PyObject *op, size_t at, size_t n) { /* borrowed; what rules say of an instruction */
    size_t start = r->words.n, direct;
    if (kind_of(r, op, at, n, &direct)) return NULL;
    size_t long_ = r->words.n - start;
    uint64_t hash = long_;
    for (size_t i = start; i < r->words.n; i++) hash = mixed(hash, r->words.at[i]);
    if (2 * r->by_kind.n >= r->by_kind.cap && enlarged(&r->by_kind, r->kinds, sizeof(Kind), offsetof(Kind, hash))) return NULL;
    for (size_t k = hash & (r->by_kind.cap - 1); r->by_kind.at[k]; k = (k + 1) & (r->by_kind.cap - 1)) {
        Kind *found = &r->kinds[r->by_kind.at[k] - 1];
        if (found->hash == hash && found->n == long_ && !memcmp(r->words.at + found->at, r->words.at + start, long_ * sizeof(Operand))) {
            r->words.n = start;
            return found->answer;
        }
    }
    PyObject *answer = asked(r, op, start, n, direct);
    if (!answer) return NULL;
    if (room(&r->kinds, r->kinds_n, &r->kinds_cap, sizeof(Kind))) { Py_DECREF(answer); return NULL; }
    r->kinds[r->kinds_n++] = (Kind){start, long_, hash, answer};
    entered(&r->by_kind, hash);
    return answer;
}

static int is_row(Rewriting *r, PyObject *op) {
    if ((PyObject *)Py_TYPE(op) == r->type) return 1;
    if (!state_behind(Py_TYPE(op), row_dealloc)) { PyErr_SetString(PyExc_TypeError, "the op of an instruction is a row"); return 0; }
    r->type = (PyObject *)Py_TYPE(op);
    return 1;
}

static int emitted(Rewriting *r, PyObject *op, size_t n, Operand *result);

/* The operands of what rules answered are put behind the others: values for places, of instructions what becomes of them. */
static int answered(Rewriting *r, PyObject *answer, const Operand *ids, size_t many, Operand *result) {
    if (!PyTuple_Check(answer)) {
        if (operand_of(answer, result)) return -1;
        if (!is_value(*result)) return 0;
        if ((*result & ~VALUE) >= many) { PyErr_SetString(PyExc_ValueError, "a rule answers with what it was asked about"); return -1; }
        *result = ids[*result & ~VALUE];
        return 0;
    }
    PyObject *op = PyTuple_GetItem(answer, 0), *args = op ? PyTuple_GetItem(answer, 1) : NULL;
    Operand own[8];
    Py_ssize_t n = args ? PyTuple_Size(args) : -1;
    if (n < 0 || !is_row(r, op)) return -1;
    if (n > 8) { PyErr_SetString(PyExc_ValueError, "a rule makes instructions of eight operands at most"); return -1; }
    for (Py_ssize_t i = 0; i < n; i++) if (answered(r, PyTuple_GetItem(args, i), ids, many, &own[i])) return -1;
    for (Py_ssize_t i = 0; i < n; i++) if (push(&r->refs, own[i])) return -1;
    return emitted(r, op, n, result);
}

static int is_ordinary(Rewriting *r, PyObject *op, size_t at, size_t n) {
    const Operand *two = r->refs.at + at;
    if (!(ROW(op)->role & ORDINARY) || n != 2 || is_value(two[0]) == is_value(two[1])) return 0;
    double x;
    memcpy(&x, is_value(two[0]) ? &two[1] : &two[0], sizeof x);
    return x != 0.0 && fabs(x) != 1.0 && !maker(r, is_value(two[0]) ? two[0] : two[1]);
}

/* What becomes of an instruction that is met for the first time, whose operands stand at `at`. */
static int made_new(Rewriting *r, PyObject *op, size_t at, size_t n, Operand *result) {
    int constant = 1;
    for (size_t i = 0; i < n; i++) constant &= !is_value(r->refs.at[at + i]);
    if (constant || (ROW(op)->role & SUBJECT && !is_ordinary(r, op, at, n))) {
        PyObject *answer = answer_to(r, op, at, n);
        if (!answer) return -1;
        if (answer != Py_None) {
            Operand few[16], *ids = few;
            size_t many = r->ids.n;
            if (many > 16 && !(ids = PyMem_Malloc(many * sizeof *ids))) { PyErr_NoMemory(); return -1; }
            if (many) memcpy(ids, r->ids.at, many * sizeof *ids);
            int failed = answered(r, answer, ids, many, result);
            if (ids != few) PyMem_Free(ids);
            return failed;
        }
    }
    if (room(&r->made, r->made_n, &r->made_cap, sizeof *r->made)) return -1;
    *result = VALUE | (r->inputs + r->made_n);
    r->made[r->made_n++] = UINT32_MAX; /* `emitted` knows the number */
    return 0;
}

static int alike(const Operand *a, const Operand *b, size_t n, int role) {
    if (!n || !memcmp(a, b, n * sizeof *a)) return 1;
    return role & COMMUTES && n == 2 && a[0] == b[1] && a[1] == b[0];
}

/* What becomes of an instruction whose operands are the last n. */
static int emitted(Rewriting *r, PyObject *op, size_t n, Operand *result) {
    size_t at = r->refs.n - n;
    int role = ROW(op)->role;
    uint64_t hash = mixed(n, (uintptr_t)op);
    if (role & COMMUTES && n == 2) hash = mixed(hash, mixed(1, r->refs.at[at]) + mixed(1, r->refs.at[at + 1]));
    else for (size_t i = 0; i < n; i++) hash = mixed(hash, r->refs.at[at + i]);
    if (2 * r->by_key.n >= r->by_key.cap && enlarged(&r->by_key, r->seen, sizeof(Seen), offsetof(Seen, hash))) return -1;
    for (size_t k = hash & (r->by_key.cap - 1); r->by_key.at[k]; k = (k + 1) & (r->by_key.cap - 1)) {
        Seen *s = &r->seen[r->by_key.at[k] - 1];
        if (s->hash == hash && s->op == op && s->n == n && alike(r->refs.at + s->at, r->refs.at + at, n, role)) {
            r->refs.n = at;
            *result = s->result;
            return 0;
        }
    }
    if (++r->depth > 500) { PyErr_SetString(PyExc_RecursionError, "rules lead to one another for ever"); return -1; }
    size_t before = r->made_n;
    if (made_new(r, op, at, n, result)) return -1;
    r->depth--;
    if (room(&r->seen, r->seen_n, &r->seen_cap, sizeof(Seen))) return -1;
    if (2 * r->by_key.n >= r->by_key.cap && enlarged(&r->by_key, r->seen, sizeof(Seen), offsetof(Seen, hash))) return -1;
    if (r->made_n > before && r->made[r->made_n - 1] == UINT32_MAX) r->made[r->made_n - 1] = (uint32_t)r->seen_n;
    r->seen[r->seen_n++] = (Seen){op, at, n, hash, *result};
    entered(&r->by_key, hash);
    return 0;
}

/* The instructions that roots need, renumbered; NULL where something failed.  `new`: of all their new numbers, + 1. */
static PyObject *living(Rewriting *r, PyObject *roots, const Operand *place, uint32_t *new) {
    size_t n = r->made_n, first = r->inputs;
    Py_ssize_t many = PyTuple_Size(roots), left = 0;
    PyObject *ops = NULL, *args = NULL, *places = NULL, *out = NULL, **numbers = PyMem_Calloc(first + n + 1, sizeof *numbers);
    if (!numbers) return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < many; i++) {
        Operand ref;
        if (operand_of(PyTuple_GetItem(roots, i), &ref)) goto no;
        if (is_value(ref) && is_value(ref = place[ref & ~VALUE]) && (ref & ~VALUE) >= first) new[(ref & ~VALUE) - first] = 1;
    }
    for (size_t i = n; i-- > 0;) {
        if (!new[i]) continue;
        left++;
        Seen *s = &r->seen[r->made[i]];
        for (size_t j = 0; j < s->n; j++) {
            Operand ref = r->refs.at[s->at + j];
            if (is_value(ref) && (ref & ~VALUE) >= first) new[(ref & ~VALUE) - first] = 1;
        }
    }
    ops = PyList_New(left), args = PyList_New(left), places = PyDict_New();
    if (!ops || !args || !places) goto no;
    left = 0;
    for (size_t i = 0; i < n; i++) {
        if (!new[i]) continue;
        Seen *s = &r->seen[r->made[i]];
        PyObject *t = PyTuple_New(s->n);
        if (!t) goto no;
        for (size_t j = 0; j < s->n; j++) {
            Operand ref = r->refs.at[s->at + j];
            PyObject *o;
            if (is_value(ref)) {
                size_t number = ref & ~VALUE;
                if (number >= first) number = first + new[number - first] - 1;
                o = numbers[number];
                if (!o) o = numbers[number] = PyLong_FromSize_t(number);
                Py_XINCREF(o);
            } else o = operand_object(ref);
            if (!o) { Py_DECREF(t); goto no; }
            PyTuple_SetItem(t, j, o);
        }
        new[i] = (uint32_t)left + 1;
        PyObject_GC_UnTrack(t); /* numbers alone: nothing that the collector need look at */
        PyList_SetItem(ops, left, ref(s->op));
        PyList_SetItem(args, left++, t);
    }
    for (Py_ssize_t i = 0; i < many; i++) {
        PyObject *root = PyTuple_GetItem(roots, i);
        Operand now;
        if (operand_of(root, &now)) goto no;
        if (!is_value(now)) continue;
        now = place[now & ~VALUE];
        if (is_value(now) && (now & ~VALUE) >= first) now = VALUE | (first + new[(now & ~VALUE) - first] - 1);
        PyObject *o = operand_object(now);
        int failed = !o || PyDict_SetItem(places, root, o);
        Py_XDECREF(o);
        if (failed) goto no;
    }
    out = PyTuple_Pack(3, ops, args, places);
no:
    for (size_t i = 0; i < first + n; i++) Py_XDECREF(numbers[i]);
    PyMem_Free(numbers);
    Py_XDECREF(ops); Py_XDECREF(args); Py_XDECREF(places);
    return out;
}

/* rewrite(inputs, ops, args, roots, decide): the ops and operands of the new program, of which the roots need all, and where the
   roots have gone. */
static PyObject *core_rewrite(PyObject *module, PyObject *args) {
    PyObject *ops, *all, *roots, *decide, *out = NULL;
    Py_ssize_t inputs, i = 0;
    if (!PyArg_ParseTuple(args, "nO!O!O!O", &inputs, &PyTuple_Type, &ops, &PyTuple_Type, &all, &PyTuple_Type, &roots, &decide)) return NULL;
    Py_ssize_t many = PyTuple_Size(ops), total = inputs + many;
    Rewriting r = {.inputs = inputs, .decide = decide};
    Operand *place = PyMem_Malloc((total + 1) * sizeof *place), ref;
    uint32_t *new = NULL;
    if (!place) return PyErr_NoMemory();
    if (inputs < 0 || PyTuple_Size(all) != many) { PyErr_SetString(PyExc_ValueError, "as many operands as ops"); goto no; }
    for (; i < inputs; i++) place[i] = VALUE | (Operand)i;
    for (i = 0; i < many; i++) {
        PyObject *op = PyTuple_GetItem(ops, i), *t = PyTuple_GetItem(all, i);
        Py_ssize_t n = PyTuple_Size(t);
        if (n < 0 || !is_row(&r, op)) goto no;
        for (Py_ssize_t j = 0; j < n; j++) {
            if (operand_of(PyTuple_GetItem(t, j), &ref)) goto no;
            if (is_value(ref) && (Py_ssize_t)(ref & ~VALUE) >= inputs + i) { PyErr_SetString(PyExc_ValueError, "an operand is made later"); goto no; }
            if (push(&r.refs, is_value(ref) ? place[ref & ~VALUE] : ref)) goto no;
        }
        if (emitted(&r, op, n, &place[inputs + i])) goto no;
        if (!(i % SIGNALS) && PyErr_CheckSignals()) goto no;
    }
    for (i = 0; i < PyTuple_Size(roots); i++) {
        if (operand_of(PyTuple_GetItem(roots, i), &ref)) goto no;
        if (is_value(ref) && (Py_ssize_t)(ref & ~VALUE) >= total) { PyErr_SetString(PyExc_ValueError, "a root is none of the values"); goto no; }
    }
    if ((new = PyMem_Calloc(r.made_n + 1, sizeof *new))) out = living(&r, roots, place, new);
    else PyErr_NoMemory();
no:
    for (size_t k = 0; k < r.kinds_n; k++) Py_DECREF(r.kinds[k].answer);
    PyMem_Free(r.refs.at); PyMem_Free(r.words.at); PyMem_Free(r.ids.at); PyMem_Free(r.seen); PyMem_Free(r.kinds); PyMem_Free(r.made);
    PyMem_Free(r.by_key.at); PyMem_Free(r.by_kind.at); PyMem_Free(place); PyMem_Free(new);
    return out;
}

static PyObject *renumbered_args(PyObject *args, PyObject *place) {
    Py_ssize_t n = PyTuple_Size(args), total = PyList_Size(place);
    PyObject *t = n < 0 ? NULL : PyTuple_New(n);
    for (Py_ssize_t i = 0; t && i < n; i++) {
        PyObject *a = PyTuple_GetItem(args, i);
        if (PyLong_CheckExact(a)) {
            Py_ssize_t number = PyLong_AsSsize_t(a);
            if (number < 0 || number >= total) {
                if (!PyErr_Occurred()) PyErr_SetString(PyExc_IndexError, "a value has no place");
                Py_CLEAR(t);
                break;
            }
            a = PyList_GetItem(place, number);
        }
        PyTuple_SetItem(t, i, ref(a));
    }
    if (t) PyObject_GC_UnTrack(t);
    return t;
}

/* renumbered(many, place): a list of tuples of operands, in which values stand as the list of places has them. */
static PyObject *core_renumbered(PyObject *module, PyObject *const *given, Py_ssize_t count) {
    PyObject *it = PyObject_GetIter(given[0]), *out = it && PyList_Check(given[1]) ? PyList_New(0) : NULL, *args;
    while (out && (args = PyIter_Next(it))) {
        PyObject *t = renumbered_args(args, given[1]);
        if (!t || PyList_Append(out, t)) Py_CLEAR(out);
        Py_XDECREF(t);
        Py_DECREF(args);
    }
    Py_XDECREF(it);
    if (PyErr_Occurred()) Py_CLEAR(out);
    else if (!out) PyErr_SetString(PyExc_TypeError, "places are a list");
    return out;
}

/* role(rows, which): set a role of rows. */
static PyObject *core_role(PyObject *module, PyObject *args) {
    PyObject *rows;
    int role;
    if (!PyArg_ParseTuple(args, "O!i", &PyTuple_Type, &rows, &role)) return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_Size(rows); i++) {
        PyObject *o = PyTuple_GetItem(rows, i);
        if (!state_behind(Py_TYPE(o), row_dealloc)) { PyErr_SetString(PyExc_TypeError, "rows are wanted"); return NULL; }
        ROW(o)->role |= role;
    }
    Py_RETURN_NONE;
}
