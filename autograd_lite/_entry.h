/* The entry of jitted calls: a short program of arithmetic, with the arguments it takes and the results it makes, all in one
   call.  Whatever is not as the program has it (another structure, an int, a watch) is left to the Python behind it.

   The values of a call stand in one row: inputs, constants, results of instructions.  Part of `_core.c`, whose state it uses. */

enum { TAKE_FLOAT = -1, TAKE_LIST = 0, TAKE_TUPLE = 1 };           /* how an argument comes; of the last two many numbers */
enum { GIVE_VALUE, GIVE_LIST, GIVE_TUPLE };                         /* how a result is made */
enum { E_ADD, E_SUB, E_MUL, E_DIV, E_NEG, E_ABS, E_RELU, E_LT, E_LE, E_GT, E_GE, E_EQ, E_NE, E_MAX, E_MIN, E_DIFF, E_WHERE, E_ZERO, E_CODES };
enum { MOST_VALUES = 512 };

typedef struct { int code, a, b, c; } Step;

typedef struct {
    PyObject_HEAD
    State *state;
    PyObject *python, *captured; /* the Python behind it; a tuple of the leaves that the program reads */
    Py_ssize_t arguments, inputs, constants, steps, gives;
    int *takes;    /* for each argument two: how it comes, and how many numbers */
    double *fixed;
    Step *program;
    int *made;     /* pairs of what is made: containers after what is in them */
} Entry;

static int numbers_taken(PyObject *o, int how, int many, double **to) { /* of one argument; 0 where it is another */
    if (how == TAKE_FLOAT) {
        if (!PyFloat_CheckExact(o)) return 0;
        *(*to)++ = PyFloat_AsDouble(o);
        return 1;
    }
    if (how == TAKE_LIST ? !PyList_CheckExact(o) || PyList_Size(o) != many : !PyTuple_CheckExact(o) || PyTuple_Size(o) != many) return 0;
    for (int k = 0; k < many; k++) {
        PyObject *each = how == TAKE_LIST ? PyList_GetItem(o, k) : PyTuple_GetItem(o, k);
        if (!PyFloat_CheckExact(each)) return 0;
        *(*to)++ = PyFloat_AsDouble(each);
    }
    return 1;
}

static void leaves_taken(PyObject *captured, double *to) {
    for (Py_ssize_t i = 0; i < PyTuple_Size(captured); i++) *to++ = NODE(PyTuple_GetItem(captured, i))->data;
}

static int leaves_only(State *s, PyObject *captured) {
    for (Py_ssize_t i = 0; i < PyTuple_Size(captured); i++)
        if (Py_TYPE(PyTuple_GetItem(captured, i)) != s->value) { PyErr_SetString(PyExc_TypeError, "what is captured is a Value"); return 0; }
    return 1;
}

static int taken(Entry *e, PyObject *args, double *to) { /* 0 where the arguments are others */
    if (PyTuple_Size(args) != e->arguments) return 0;
    for (Py_ssize_t i = 0; i < e->arguments; i++)
        if (!numbers_taken(PyTuple_GetItem(args, i), e->takes[2 * i], e->takes[2 * i + 1], &to)) return 0;
    leaves_taken(e->captured, to);
    return 1;
}

static void computed(const Entry *e, double *v) { /* v: inputs and constants, to which the results are added */
    double *to = v + e->inputs + e->constants;
    for (const Step *s = e->program, *end = s + e->steps; s < end; s++, to++) {
        double a = v[s->a], b = v[s->b];
        switch (s->code) {
        case E_ADD: *to = a + b; break;
        case E_SUB: *to = a - b; break;
        case E_MUL: *to = a * b; break;
        case E_DIV: *to = divided(a, b); break;
        case E_NEG: *to = -a; break;
        case E_ABS: *to = fabs(a); break;
        case E_RELU: *to = a <= 0.0 ? 0.0 : a; break;
        case E_LT: *to = a < b; break;
        case E_LE: *to = a <= b; break;
        case E_GT: *to = a > b; break;
        case E_GE: *to = a >= b; break;
        case E_EQ: *to = a == b; break;
        case E_NE: *to = a != b; break;
        case E_MAX: *to = a > b ? a : b >= a ? b : NAN; break;
        case E_MIN: *to = a < b ? a : b <= a ? b : NAN; break;
        case E_DIFF: *to = a == b ? 0.0 : a - b; break;
        case E_WHERE: *to = a != 0.0 ? b : v[s->c]; break;
        case E_ZERO: *to = a == a ? 0.0 : NAN; break;
        }
    }
}

static PyObject *container_made(int how, int many, PyObject **stack, Py_ssize_t *n) { /* of the last on the stack, which go */
    PyObject *made = how == GIVE_LIST ? PyList_New(many) : PyTuple_New(many);
    *n -= many;
    for (int i = 0; i < many; i++) {
        if (!made) Py_DECREF(stack[*n + i]);
        else if (how == GIVE_LIST) PyList_SetItem(made, i, stack[*n + i]);
        else PyTuple_SetItem(made, i, stack[*n + i]);
    }
    return made;
}

static PyObject *given(const Entry *e, const double *v) {
    PyObject *stack[MOST_VALUES], *made;
    Py_ssize_t n = 0;
    for (const int *g = e->made, *end = g + 2 * e->gives; g < end; g += 2) {
        made = g[0] == GIVE_VALUE ? PyFloat_FromDouble(v[g[1]]) : container_made(g[0], g[1], stack, &n);
        if (!made) { while (n) Py_DECREF(stack[--n]); return NULL; }
        stack[n++] = made;
    }
    return stack[0];
}

static PyObject *entry_call(PyObject *o, PyObject *args, PyObject *kwargs) {
    Entry *e = (Entry *)o;
    double v[MOST_VALUES];
    if (!kwargs && !e->state->active && taken(e, args, v)) {
        memcpy(v + e->inputs, e->fixed, e->constants * sizeof *v);
        computed(e, v);
        return given(e, v);
    }
    return PyObject_Call(e->python, args, kwargs);
}

static int entry_traverse(PyObject *o, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(o)); Py_VISIT(((Entry *)o)->python); Py_VISIT(((Entry *)o)->captured);
    return 0;
}

static int entry_clear(PyObject *o) { Py_CLEAR(((Entry *)o)->python); return 0; }

static int entry_freed(PyObject *o) {
    Entry *e = (Entry *)o;
    Py_CLEAR(e->captured);
    PyMem_Free(e->takes); PyMem_Free(e->fixed); PyMem_Free(e->program); PyMem_Free(e->made);
    return entry_clear(o);
}

static void entry_dealloc(PyObject *o) { ended(o, entry_freed); }

static int *numbers_of(PyObject *t) { /* whole numbers in a tuple */
    Py_ssize_t n = PyTuple_Size(t);
    int *all = n < 0 ? NULL : PyMem_Malloc((n + 1) * sizeof *all);
    if (!all) { if (!PyErr_Occurred()) PyErr_NoMemory(); return NULL; }
    for (Py_ssize_t i = 0; i < n; i++) all[i] = (int)PyLong_AsLong(PyTuple_GetItem(t, i));
    return all;
}

static int sound(const Entry *e) { /* whether every number in it is one that the calls can go by */
    Py_ssize_t first = e->inputs + e->constants, n = 0, depth = 0, values = first + e->steps;
    for (Py_ssize_t i = 0; i < e->arguments; i++) n += e->takes[2 * i] == TAKE_FLOAT ? 1 : e->takes[2 * i + 1];
    if (n + PyTuple_Size(e->captured) != e->inputs || values > MOST_VALUES || e->gives > MOST_VALUES) return 0;
    for (Py_ssize_t i = 0; i < e->steps; i++) {
        const Step *s = e->program + i;
        if (s->code < 0 || s->code >= E_CODES || s->a < 0 || s->b < 0 || s->c < 0 || s->a >= first + i || s->b >= first + i || s->c >= first + i) return 0;
    }
    for (Py_ssize_t i = 0; i < e->gives; i++) {
        int how = e->made[2 * i], many = e->made[2 * i + 1];
        if (many < 0 || (how == GIVE_VALUE ? many >= values : many > depth)) return 0;
        depth += how == GIVE_VALUE ? 1 : 1 - many;
    }
    return depth == 1;
}

/* entry(python, takes, captured, constants, steps, gives): a function of the arguments; see the fields of Entry. */
static PyObject *core_entry(PyObject *module, PyObject *args) {
    State *s = PyModule_GetState(module);
    PyObject *python, *takes, *captured, *constants, *steps, *gives;
    if (!PyArg_ParseTuple(args, "OO!O!O!O!O!", &python, &PyTuple_Type, &takes, &PyTuple_Type, &captured, &PyTuple_Type, &constants,
                          &PyTuple_Type, &steps, &PyTuple_Type, &gives)) return NULL;
    Entry *e = PyObject_GC_New(Entry, s->entry);
    if (!e) return NULL;
    memset((char *)e + sizeof(PyObject), 0, sizeof *e - sizeof(PyObject));
    e->state = s;
    e->python = ref(python);
    e->captured = ref(captured);
    e->arguments = PyTuple_Size(takes) / 2;
    e->constants = PyTuple_Size(constants);
    e->steps = PyTuple_Size(steps) / 4;
    e->gives = PyTuple_Size(gives) / 2;
    int *code = NULL;
    if (!(e->takes = numbers_of(takes)) || !(e->made = numbers_of(gives)) || !(code = numbers_of(steps)) ||
        !(e->program = PyMem_Calloc(e->steps + 1, sizeof *e->program)) || !(e->fixed = PyMem_Calloc(e->constants + 1, sizeof *e->fixed))) goto no;
    memcpy(e->program, code, e->steps * sizeof *e->program);
    for (Py_ssize_t i = 0; i < e->constants; i++) e->fixed[i] = PyFloat_AsDouble(PyTuple_GetItem(constants, i));
    e->inputs = PyTuple_Size(captured);
    for (Py_ssize_t i = 0; i < e->arguments; i++) e->inputs += e->takes[2 * i] == TAKE_FLOAT ? 1 : e->takes[2 * i + 1];
    if (!leaves_only(s, captured) || PyErr_Occurred()) goto no;
    if (!sound(e)) { PyErr_SetString(PyExc_ValueError, "no program for an entry"); goto no; }
    PyMem_Free(code);
    PyObject_GC_Track((PyObject *)e);
    return (PyObject *)e;
no:
    if (!PyErr_Occurred()) PyErr_NoMemory();
    PyMem_Free(code);
    PyObject_GC_Track((PyObject *)e);
    Py_DECREF((PyObject *)e);
    return NULL;
}

static PyType_Slot entry_slots[] = {
    {Py_tp_call, entry_call}, {Py_tp_dealloc, entry_dealloc}, {Py_tp_traverse, entry_traverse}, {Py_tp_clear, entry_clear}, {0}};
static PyType_Spec entry_spec = {"autograd_lite._core.Entry", sizeof(Entry), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, entry_slots};

/* Machine code: a function of some addresses and whole numbers, run without the interpreter's lock, which gives a whole number. */
typedef int64_t N;
enum { MOST_ARGUMENTS = 8 };
typedef struct {
    PyObject_HEAD
    Vectorcall call;
    void *code;
    PyObject *owner; /* while it lives the code is there */
    Py_ssize_t count;
} Machine;

static N executed(void *code, Py_ssize_t count, const N *a) {
    switch (count) {
    case 0: return ((N (*)(void))code)();
    case 1: return ((N (*)(N))code)(a[0]);
    case 2: return ((N (*)(N, N))code)(a[0], a[1]);
    case 3: return ((N (*)(N, N, N))code)(a[0], a[1], a[2]);
    case 4: return ((N (*)(N, N, N, N))code)(a[0], a[1], a[2], a[3]);
    case 5: return ((N (*)(N, N, N, N, N))code)(a[0], a[1], a[2], a[3], a[4]);
    case 6: return ((N (*)(N, N, N, N, N, N))code)(a[0], a[1], a[2], a[3], a[4], a[5]);
    case 7: return ((N (*)(N, N, N, N, N, N, N))code)(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    default: return ((N (*)(N, N, N, N, N, N, N, N))code)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
    }
}

static PyObject *machine_vectorcall(PyObject *o, PyObject *const *args, size_t nargsf, PyObject *names) {
    Machine *m = (Machine *)o;
    N given[MOST_ARGUMENTS], result;
    if (VECTORCALL_NARGS(nargsf) != m->count || (names && PyTuple_Size(names))) {
        PyErr_Format(PyExc_TypeError, "machine code of %zd whole numbers, given by position, was called with others", m->count);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < m->count; i++) {
        given[i] = PyLong_AsLongLong(args[i]);
        if (given[i] == -1 && PyErr_Occurred()) return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    result = executed(m->code, m->count, given);
    Py_END_ALLOW_THREADS
    return PyLong_FromLongLong(result);
}

static PyObject *machine_call(PyObject *o, PyObject *args, PyObject *kwargs) { /* what 3.11 has as PyVectorcall_Call is not in its limited API */
    PyObject *given[MOST_ARGUMENTS];
    Py_ssize_t n = PyTuple_Size(args);
    if (n > MOST_ARGUMENTS || (kwargs && PyDict_Size(kwargs))) n = -1;
    for (Py_ssize_t i = 0; i < n; i++) given[i] = PyTuple_GetItem(args, i);
    return machine_vectorcall(o, given, n < 0 ? MOST_ARGUMENTS + 1 : (size_t)n, NULL);
}

static int machine_traverse(PyObject *o, visitproc visit, void *arg) { Py_VISIT(Py_TYPE(o)); Py_VISIT(((Machine *)o)->owner); return 0; }
static int machine_clear(PyObject *o) { (void)o; return 0; } /* what owns the code knows nothing of it */

static int machine_freed(PyObject *o) { Py_CLEAR(((Machine *)o)->owner); return 0; }
static void machine_dealloc(PyObject *o) { ended(o, machine_freed); }

/* machine(address, count, owner): the code at an address as a function of so many whole numbers. */
static PyObject *core_machine(PyObject *module, PyObject *args) {
    State *s = PyModule_GetState(module);
    PyObject *address, *owner;
    Py_ssize_t count;
    if (!PyArg_ParseTuple(args, "O!nO", &PyLong_Type, &address, &count, &owner)) return NULL;
    void *code = PyLong_AsVoidPtr(address);
    if (!code || count < 0 || count > MOST_ARGUMENTS) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "no code, or of too many arguments");
        return NULL;
    }
    Machine *m = PyObject_GC_New(Machine, s->machine);
    if (!m) return NULL;
    m->call = machine_vectorcall; m->code = code; m->owner = ref(owner); m->count = count;
    PyObject_GC_Track((PyObject *)m);
    return (PyObject *)m;
}

static PyMemberDef machine_members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(Machine, call), READONLY, NULL}, {0}};
static PyType_Slot machine_slots[] = {
    {Py_tp_call, machine_call}, {Py_tp_dealloc, machine_dealloc}, {Py_tp_traverse, machine_traverse}, {Py_tp_clear, machine_clear},
    {Py_tp_members, machine_members}, {0}};
static PyType_Spec machine_spec = {"autograd_lite._core.Machine", sizeof(Machine), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | VECTORCALL_FLAG, machine_slots};

/* The base of what `jit` gives: called without names it goes to its entry at once, if it has one. */
typedef struct {
    PyObject_HEAD
    PyObject *entry; /* an Entry, or a function that takes all positional arguments; NULL for none */
    State *state;
} Called;

static PyObject *called_call(PyObject *o, PyObject *args, PyObject *kwargs) {
    PyObject *entry = ((Called *)o)->entry, *python, *out;
    State *s = ((Called *)o)->state;
    if (entry && !kwargs && !s->active) {
        Py_INCREF(entry);
        out = Py_TYPE(entry) == s->entry ? entry_call(entry, args, NULL) : PyObject_Call(entry, args, NULL);
        Py_DECREF(entry);
        return out;
    }
    if (!(python = PyObject_GetAttrString(o, "_call"))) return NULL;
    out = PyObject_Call(python, args, kwargs);
    Py_DECREF(python);
    return out;
}

/* enter(jitted, fast): go to `fast` at once from now on. */
static PyObject *core_enter(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = PyModule_GetState(module);
    if (!PyObject_TypeCheck(args[0], s->called)) { PyErr_SetString(PyExc_TypeError, "what jit gives is wanted"); return NULL; }
    Called *c = (Called *)args[0];
    PyObject *old = c->entry;
    c->entry = ref(args[1]);
    c->state = s;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

static int called_traverse(PyObject *o, visitproc visit, void *arg) { Py_VISIT(Py_TYPE(o)); Py_VISIT(((Called *)o)->entry); return 0; }
static int called_clear(PyObject *o) { Py_CLEAR(((Called *)o)->entry); return 0; }

static void called_dealloc(PyObject *o) { ended(o, called_clear); }

static PyType_Slot called_slots[] = {
    {Py_tp_call, called_call}, {Py_tp_dealloc, called_dealloc}, {Py_tp_traverse, called_traverse}, {Py_tp_clear, called_clear}, {0}};
static PyType_Spec called_spec = {"autograd_lite._core.Called", sizeof(Called), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, called_slots};
