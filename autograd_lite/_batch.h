/* The entry of batches: arrays looked at where NumPy has what they are, machine code called, results made, all in one call.
   Whatever is not as the code wants it (another class, kind of number or shape, too many rows, a watch) is left to the Python
   behind it.  No address is kept from one call to the next: an array may have moved its numbers.  Part of `_core.c`. */

enum { TAKE_ARRAY = 2, TAKE_COLUMNS, GIVE_ARRAY = 3 };  /* besides those of `_entry.h` */
enum { NUMPYS_VERSION, NUMPYS_ARRAY = 2, NUMPYS_NEW = 94, NUMPYS_BASE = 282 }; /* where in the table of its interface for C */
enum { CONTIGUOUS = 1, OWNED = 0x501 };                  /* flags of arrays: in one piece; and aligned, and may be written to */
enum { MOST_AXES = 8, LINE = 64 };

typedef struct { PyObject_HEAD char *data; int axes; Py_ssize_t *shape, *strides; PyObject *base, *kind; int flags; } Array; /* PyArrayObject_fields */
typedef PyObject *(*NewArray)(PyTypeObject *, PyObject *, int, const Py_ssize_t *, const Py_ssize_t *, void *, int, PyObject *);

typedef struct {
    PyObject_HEAD
    State *state;
    PyObject *python, *owner, *captured; /* the Python behind it; the machine code; a tuple of the leaves that the program reads */
    PyObject *kind, *doubles;            /* NumPy's names of the numbers in columns, and of doubles */
    void **numpy, *code;
    Py_ssize_t arguments, inputs, columns, outputs, most, bytes; /* most: rows; bytes: of a number in a column */
    int *takes, *gives, *end; /* how each argument comes, and how the results are made */
    int reduced, busy;
    char *memory;             /* of the five that follow */
    double *shared, *out;
    N *table;
    N given[7];               /* what the code takes the address of */
} Batch;

static int is_array(const Batch *b, PyObject *o, PyObject *kind, const int *axes) { /* axes: how many, and how long each is; -1 for any */
    const Array *a = (const Array *)o;
    if (Py_TYPE(o) != (PyTypeObject *)b->numpy[NUMPYS_ARRAY] || a->kind != kind || a->axes != axes[0]) return 0;
    for (int i = 0; i < axes[0]; i++) if (axes[1 + i] >= 0 && a->shape[i] != axes[1 + i]) return 0;
    return 1;
}

static Py_ssize_t gathered(Batch *b, PyObject *args) { /* how many rows there are; -1 where the arguments are others */
    Py_ssize_t rows = -1;
    double *to = b->shared;
    N *column = b->table;
    const int *t = b->takes;
    if (PyTuple_Size(args) != b->arguments) return -1;
    for (Py_ssize_t i = 0; i < b->arguments; i++) {
        PyObject *o = PyTuple_GetItem(args, i);
        int how = *t++, many = *t++;
        if (how < TAKE_ARRAY) {
            if (!numbers_taken(o, how, many, &to)) return -1;
            continue;
        }
        const Array *a = (const Array *)o;
        if (!is_array(b, o, how == TAKE_ARRAY ? b->doubles : b->kind, t)) return -1;
        t += 1 + *t;
        if (how == TAKE_ARRAY) {
            if (!(a->flags & CONTIGUOUS)) return -1;
            memcpy(to, a->data, many * sizeof *to);
            to += many;
            continue;
        }
        if (rows >= 0 && a->shape[0] != rows) return -1;
        rows = a->shape[0];
        for (int j = 0; j < many; j++) {
            *column++ = (N)(intptr_t)(a->data + (a->axes > 1 ? j * a->strides[1] : 0));
            *column++ = a->strides[0];
        }
    }
    leaves_taken(b->captured, to);
    return rows <= b->most ? rows : -1;
}

static PyObject *array_made(const Batch *b, int axes, const Py_ssize_t *shape) {
    return ((NewArray)b->numpy[NUMPYS_NEW])((PyTypeObject *)b->numpy[NUMPYS_ARRAY], ref(b->reduced ? b->doubles : b->kind), axes, shape, NULL, NULL, 0, NULL);
}

/* One result: a number, or where rows are kept a row of the matrix of all results. */
static PyObject *one_given(const Batch *b, PyObject *matrix, Py_ssize_t rows, int i) {
    if (b->reduced) return PyFloat_FromDouble(b->out[i]);
    PyObject *row = ((NewArray)b->numpy[NUMPYS_NEW])((PyTypeObject *)b->numpy[NUMPYS_ARRAY], ref(b->kind), 1, &rows, NULL,
                                                     ((Array *)matrix)->data + i * rows * b->bytes, OWNED, NULL);
    if (row && ((int (*)(PyObject *, PyObject *))b->numpy[NUMPYS_BASE])(row, ref(matrix))) Py_CLEAR(row);
    return row;
}

static PyObject *batch_given(const Batch *b, PyObject *matrix, Py_ssize_t rows) {
    PyObject *stack[MOST_VALUES], *made;
    Py_ssize_t n = 0, shape[MOST_AXES];
    for (const int *g = b->gives; g < b->end;) {
        int how = *g++, many = *g++;
        if (how == GIVE_VALUE) made = one_given(b, matrix, rows, many);
        else if (how == GIVE_ARRAY) {
            int axes = *g++;
            Py_ssize_t all = 1;
            for (int i = 0; i < axes; i++) all *= shape[i] = *g++;
            if ((made = array_made(b, axes, shape))) memcpy(((Array *)made)->data, b->out + many, all * sizeof *b->out);
        }
        else made = container_made(how, many, stack, &n);
        if (!made) { while (n) Py_DECREF(stack[--n]); return NULL; }
        stack[n++] = made;
    }
    return stack[0];
}

static PyObject *batch_call(PyObject *o, PyObject *args, PyObject *kwargs) {
    Batch *b = (Batch *)o;
    Py_ssize_t rows = kwargs || b->busy || b->state->active ? -1 : gathered(b, args);
    if (rows <= 0) return PyObject_Call(b->python, args, kwargs);
    Py_ssize_t shape[2] = {b->outputs, rows};
    PyObject *matrix = NULL, *result;
    b->busy = 1; /* until the results are made: whatever runs meanwhile, another thread or a finalizer, goes through Python */
    if (!b->reduced && !(matrix = array_made(b, 2, shape))) { b->busy = 0; return NULL; }
    b->given[3] = rows;
    b->given[5] = (N)(intptr_t)(matrix ? (void *)((Array *)matrix)->data : (void *)b->out);
    Py_BEGIN_ALLOW_THREADS
    ((N (*)(const N *))b->code)(b->given);
    Py_END_ALLOW_THREADS
    result = batch_given(b, matrix, rows);
    b->busy = 0;
    Py_XDECREF(matrix);
    return result;
}

static int batch_traverse(PyObject *o, visitproc visit, void *arg) {
    Batch *b = (Batch *)o;
    Py_VISIT(Py_TYPE(o)); Py_VISIT(b->python); Py_VISIT(b->owner); Py_VISIT(b->captured);
    return 0;
}

static int batch_clear(PyObject *o) { Py_CLEAR(((Batch *)o)->python); return 0; }

static int batch_freed(PyObject *o) {
    Batch *b = (Batch *)o;
    Py_CLEAR(b->owner); Py_CLEAR(b->captured); Py_CLEAR(b->kind); Py_CLEAR(b->doubles);
    PyMem_Free(b->takes); PyMem_Free(b->gives); PyMem_Free(b->memory);
    return batch_clear(o);
}

static void batch_dealloc(PyObject *o) { ended(o, batch_freed); }

/* Whether every number in it is one that the calls can go by. */
static int batch_sound(const Batch *b, Py_ssize_t takes) {
    Py_ssize_t numbers = PyTuple_Size(b->captured), columns = 0, depth = 0;
    const int *t = b->takes, *last = t + takes;
    for (Py_ssize_t i = 0; i < b->arguments; i++) {
        if (last - t < 2) return 0;
        int how = *t++, many = *t++;
        if (how < TAKE_FLOAT || how > TAKE_COLUMNS || many < 0) return 0;
        *(how == TAKE_COLUMNS ? &columns : &numbers) += how == TAKE_FLOAT ? 1 : many;
        if (how < TAKE_ARRAY) continue;
        if (last - t < 1 || *t < 1 || *t > MOST_AXES || last - t < 1 + *t) return 0;
        Py_ssize_t all = 1;
        for (int k = how == TAKE_COLUMNS; k < *t; k++) all *= t[1 + k] < 0 ? -1 : t[1 + k];
        if (all != many || (how == TAKE_COLUMNS && *t > 2)) return 0;
        t += 1 + *t;
    }
    if (t != last || numbers != b->inputs || columns != b->columns) return 0;
    for (const int *g = b->gives; g < b->end;) {
        if (b->end - g < 2) return 0;
        int how = *g++, many = *g++;
        if (how < GIVE_VALUE || how > GIVE_ARRAY || many < 0) return 0;
        if (how == GIVE_VALUE && many >= b->outputs) return 0;
        if (how == GIVE_ARRAY) {
            if (!b->reduced || b->end - g < 1 || *g < 1 || *g > MOST_AXES || b->end - g < 1 + *g) return 0;
            Py_ssize_t all = 1;
            for (int k = 0; k < *g; k++) { if (g[1 + k] < 0) return 0; all *= g[1 + k]; }
            if (many + all > b->outputs) return 0;
            g += 1 + *g;
        }
        if ((how == GIVE_LIST || how == GIVE_TUPLE) && many > depth) return 0;
        depth += how == GIVE_LIST || how == GIVE_TUPLE ? 1 - many : 1;
        if (depth > MOST_VALUES) return 0;
    }
    return depth == 1;
}

/* batch(python, run, captured, (table of NumPy, kind of columns, doubles), takes, gives, initial, (sizes...)): see the fields of Batch.
   None where NumPy's interface is another one. */
static PyObject *core_batch(PyObject *module, PyObject *args) {
    State *s = PyModule_GetState(module);
    PyObject *python, *run, *captured, *capsule, *kind, *doubles, *takes, *gives, *initial;
    Py_ssize_t arguments, inputs, columns, outputs, most, bytes, scratch;
    int reduced;
    if (!PyArg_ParseTuple(args, "OO!O!(OOO)O!O!O!(nnnnnnnp)", &python, s->machine, &run, &PyTuple_Type, &captured, &capsule, &kind, &doubles,
                          &PyTuple_Type, &takes, &PyTuple_Type, &gives, &PyTuple_Type, &initial,
                          &arguments, &inputs, &columns, &outputs, &most, &bytes, &scratch, &reduced)) return NULL;
    void **numpy = PyCapsule_GetPointer(capsule, NULL);
    if (!numpy) return NULL;
    unsigned version = ((unsigned (*)(void))numpy[NUMPYS_VERSION])();
    if (version != 0x01000009 && version != 0x02000000) Py_RETURN_NONE;
    Batch *b = PyObject_GC_New(Batch, s->batch);
    if (!b) return NULL;
    memset((char *)b + sizeof(PyObject), 0, sizeof *b - sizeof(PyObject));
    b->state = s; b->numpy = numpy; b->code = ((Machine *)run)->code;
    b->python = ref(python); b->owner = ref(run); b->captured = ref(captured); b->kind = ref(kind); b->doubles = ref(doubles);
    b->arguments = arguments; b->inputs = inputs; b->columns = columns; b->outputs = outputs; b->most = most; b->bytes = bytes; b->reduced = reduced;
    Py_ssize_t extra = PyTuple_Size(initial);
    if (((Machine *)run)->count != 1 || arguments < 0 || inputs < 0 || columns < 1 || outputs < 1 || scratch < 0 || !leaves_only(s, captured)) goto no;
    if (!(b->takes = numbers_of(takes)) || !(b->gives = numbers_of(gives))) goto no;
    b->end = b->gives + PyTuple_Size(gives);
    if (PyErr_Occurred() || !batch_sound(b, PyTuple_Size(takes))) goto no;
    if (!(b->memory = PyMem_Calloc(inputs + extra + outputs + 2 * columns + scratch + 1 + LINE / 8, sizeof(double)))) { PyErr_NoMemory(); goto no; }
    double *at = (double *)(((uintptr_t)b->memory + LINE - 1) & ~(uintptr_t)(LINE - 1)), *more;
    double *work = at;
    b->out = at + scratch; b->shared = b->out + outputs; more = b->shared + inputs; b->table = (N *)(more + extra);
    for (Py_ssize_t i = 0; i < extra; i++) more[i] = PyFloat_AsDouble(PyTuple_GetItem(initial, i));
    if (PyErr_Occurred()) goto no;
    void *const fixed[] = {b->shared, more, b->table, NULL, NULL, NULL, work};
    for (int i = 0; i < 7; i++) b->given[i] = (N)(intptr_t)fixed[i];
    b->given[4] = most;
    PyObject_GC_Track((PyObject *)b);
    return (PyObject *)b;
no:
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "no program for a batch");
    PyObject_GC_Track((PyObject *)b);
    Py_DECREF((PyObject *)b);
    return NULL;
}

static PyType_Slot batch_slots[] = {
    {Py_tp_call, batch_call}, {Py_tp_dealloc, batch_dealloc}, {Py_tp_traverse, batch_traverse}, {Py_tp_clear, batch_clear}, {0}};
static PyType_Spec batch_spec = {"autograd_lite._core.Batch", sizeof(Batch), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, batch_slots};
