/* What runs while a function is traced: the record of the nodes made, their instructions, and sweeps whose rules make nodes, as
   compiler/trace.py, adjoints.py and sweeps.py have them, in the same order.

   Rules are the rows' own, in Python; operands and adjoints of unusual kinds are left to the Python functions.  Part of
   `_core.c`. */

/* -- the record ------------------------------------------------------------------------------------------------------- */

/* The number of a value of a trace, which has it at this place of its list; -1 of another. */
static Py_ssize_t number_in(PyObject *values, PyObject *o) {
    size_t place = NODE(o)->place;
    return place && place <= (size_t)PyList_Size(values) && PyList_GetItem(values, place - 1) == o ? (Py_ssize_t)place - 1 : -1;
}

/* number(x, values): the place of a Value in the list of a trace; None where it is not there. */
static PyObject *core_number(PyObject *module, PyObject *const *args, Py_ssize_t n) {
    State *s = PyModule_GetState(module);
    Py_ssize_t number = Py_TYPE(args[0]) == s->value || is_node(args[0]) ? number_in(args[1], args[0]) : -1;
    if (number < 0) Py_RETURN_NONE;
    return PyLong_FromSsize_t(number);
}

enum { VARIES = 1, WILD = 2, LIFTED = 4 }; /* as in trace.py */

/* Operand i of a node as that of an instruction, and what is known of it; `outside` knows those that are no values of this trace. */
static PyObject *operand_in(PyObject *values, PyObject *flags, PyObject *outside, Node *node, Py_ssize_t i, int *flag) {
    PyObject *o = node_at(node, i), *ref = NULL;
    if (!o) {
        double x = worth_at(node, i);
        if (x - x != 0.0) *flag |= WILD;
        return PyFloat_FromDouble(x);
    }
    Py_ssize_t number = number_in(values, o);
    if (number >= 0) {
        *flag |= PyByteArray_AsString(flags)[number];
        return PyLong_FromSsize_t(number);
    }
    PyObject *at = PyLong_FromSsize_t(i), *found = at ? PyObject_CallFunctionObjArgs(outside, (PyObject *)node, o, at, NULL) : NULL;
    int more;
    if (found && PyArg_ParseTuple(found, "iO", &more, &ref)) { *flag |= more; Py_INCREF(ref); }
    Py_XDECREF(at); Py_XDECREF(found);
    return ref;
}

/* instructions(values, flags, lifted, outside, ops, args): what is known of the nodes at the end of `values`, those for which
   there are no flags yet, and their instructions. */
static PyObject *core_instructions(PyObject *module, PyObject *const *given, Py_ssize_t count) {
    PyObject *values = given[0], *flags = given[1], *lifted = given[2], *outside = given[3], *ops = given[4], *args = given[5];
    Py_ssize_t k = PyByteArray_Size(flags), all = PyList_Size(values), marked = PySet_Size(lifted);
    if (k < 0 || all < 0 || marked < 0 || PyByteArray_Resize(flags, all)) return NULL;
    if (!PyList_Size(ops)) for (Py_ssize_t i = 0; i < k; i++) NODE(PyList_GetItem(values, i))->place = (uint32_t)i + 1; /* the inputs */
    for (; k < all; k++) {
        Node *n = NODE(PyList_GetItem(values, k));
        Row *row = n->row;
        if (fresh(row)) break;
        int flag = row->tame ? 0 : WILD, in = 0;
        PyObject *op = row->plain ? row->plain : (PyObject *)row; /* where the slopes have been taken, and are in the program */
        Py_ssize_t many = operands_of(n), kept = row->plain ? ROW(op)->arity : many;
        PyObject *t = PyTuple_New(kept);
        for (Py_ssize_t i = 0; t && i < many; i++) {
            PyObject *each = operand_in(values, flags, outside, n, i, &flag);
            if (!each) Py_CLEAR(t);
            else if (i < kept) PyTuple_SetItem(t, i, each);
            else Py_DECREF(each);
        }
        if (t) PyObject_GC_UnTrack(t); /* numbers alone: nothing that the collector need look at */
        int failed = !t || PyList_Append(ops, op) || PyList_Append(args, t);
        Py_XDECREF(t);
        n->place = (uint32_t)k + 1;
        if (marked && !failed && row->role & LIFTS) {
            PyObject *key = PyLong_FromVoidPtr(n);
            in = key ? PySet_Contains(lifted, key) : -1;
            Py_XDECREF(key);
        }
        if (failed || in < 0 || (!(k % SIGNALS) && PyErr_CheckSignals())) break;
        PyByteArray_AsString(flags)[k] = (char)(in ? flag | LIFTED : flag);
    }
    if (k == all) Py_RETURN_NONE;
    PyObject *type, *error, *trace; /* of a trace that has failed nothing is asked any more */
    PyErr_Fetch(&type, &error, &trace);
    PyByteArray_Resize(flags, k);
    PyErr_Restore(type, error, trace);
    return NULL;
}

/* -- edges ------------------------------------------------------------------------------------------------------------ */

enum { MOST = 5 }; /* operands of rows whose rules are called from here */

typedef struct {
    Py_ssize_t n;
    PyObject *args[MOST + 2]; /* the operands, the result, NULL */
    PyObject *nodes[MOST];    /* of the operands those that are nodes, borrowed */
    PyObject *edges[MOST];    /* what an adjoint is multiplied by; NULL: nothing flows, or it is a product */
    PyObject *products[MOST]; /* product rules, borrowed */
} Edges;

static void edges_done(Edges *e) {
    for (Py_ssize_t i = 0; i < MOST + 2; i++) Py_CLEAR(e->args[i]);
    for (Py_ssize_t i = 0; i < MOST; i++) Py_CLEAR(e->edges[i]);
}

static int as_it_was(PyObject *o, double x) { /* whether an operand is worth what it was */
    return NODE(o)->row || !memcmp(&NODE(o)->data, &x, sizeof x) || (x != x && NODE(o)->data != NODE(o)->data);
}

static PyObject *called(PyObject *f, PyObject *const *a) { return PyObject_CallFunctionObjArgs(f, a[0], a[1], a[2], a[3], a[4], a[5], a[6], NULL); }

static PyObject *called_with(PyObject *f, PyObject *g, PyObject *const *a) {
    return PyObject_CallFunctionObjArgs(f, g, a[0], a[1], a[2], a[3], a[4], a[5], a[6], NULL);
}

static PyObject *item_or_none(PyObject *tuple, Py_ssize_t i) { /* borrowed; NULL for None */
    PyObject *o = tuple ? PyTuple_GetItem(tuple, i) : NULL;
    return o == Py_None ? NULL : o;
}

/* What a node multiplies by at each operand, by rules on nodes; 1: Python must find it. */
static int edges_at(Node *n, Edges *e) {
    Row *row = n->row;
    memset(e, 0, sizeof *e);
    if (fresh(row)) return -1;
    if (!row->lasting || !row->partials || (e->n = operands_of(n)) > MOST || PyTuple_Size(row->partials) != e->n) return 1;
    for (Py_ssize_t i = 0; i < e->n; i++) {
        PyObject *o = e->nodes[i] = node_at(n, i);
        if (o && !as_it_was(o, worth_at(n, i))) { edges_done(e); return 1; }
        if (!(e->args[i] = number(o, worth_at(n, i)))) { edges_done(e); return -1; }
    }
    e->args[e->n] = ref((PyObject *)n);
    for (Py_ssize_t i = 0; i < e->n; i++) {
        if (!e->nodes[i] || (e->products[i] = item_or_none(row->all_products, i))) continue;
        PyObject *rule = PyTuple_GetItem(row->partials, i);
        if (row->native == MUL) e->edges[i] = ref(e->args[!i]);
        else if (!PyFloat_CheckExact(rule)) e->edges[i] = called(rule, e->args);
        else if (PyFloat_AsDouble(rule) != 0.0) e->edges[i] = ref(rule);
        if (e->edges[i] == Py_None) Py_CLEAR(e->edges[i]);
        if (PyErr_Occurred()) { edges_done(e); return -1; }
    }
    return 0;
}

/* g times what an edge multiplies by, recording no multiplication by 1 or -1. */
static PyObject *times(PyObject *g, PyObject *edge) {
    if (PyFloat_CheckExact(edge)) {
        double x = PyFloat_AsDouble(edge);
        if (x == 1.0) return ref(g);
        if (x == -1.0) return PyNumber_Negative(g);
    }
    return PyFloat_CheckExact(g) && PyFloat_AsDouble(g) == 1.0 ? ref(edge) : PyNumber_Multiply(g, edge);
}

static int is_usual(State *s, PyObject *g) { return Py_TYPE(g) == s->value || PyFloat_CheckExact(g) || is_node(g); } /* not masked */

/* -- the reverse sweep ------------------------------------------------------------------------------------------------ */

static PyObject *held(Node *m) { /* what a node has gathered, where it has been HIT */
    PyObject *g;
    memcpy(&g, &m->acc, sizeof g);
    return g;
}

static int give_node(Sweep *w, PyObject *o, PyObject *d) { /* as `give`; d: NULL where nothing flows */
    Node *m = NODE(o);
    if (is_input(m)) {
        if (!(m->flags & SEEN) && met(w, m)) return -1;
        if (!(m->flags & PAST)) { m->flags |= PAST; if (put(&w->inputs, m)) return -1; }
    }
    if (d) {
        PyObject *sum = m->flags & HIT ? PyNumber_Add(held(m), d) : ref(d);
        if (!sum) return -1;
        if (m->flags & HIT) Py_DECREF(held(m));
        memcpy(&m->acc, &sum, sizeof sum);
        m->flags |= HIT;
    }
    return is_input(m) || --m->pending ? 0 : put(&w->ready, m);
}

static int pass_node(Sweep *w, Node *n, PyObject *g) { /* pass on the adjoint of one node; NULL: nothing flows */
    Py_ssize_t many = operands_of(n);
    PyObject *flows[MOST] = {0}, *found = NULL;
    Edges e = {0};
    int status = !g ? 0 : is_usual(w->s, g) ? edges_at(n, &e) : 1;
    for (Py_ssize_t i = 0; g && !status && i < many; i++) {
        if (e.products[i]) flows[i] = called_with(e.products[i], g, e.args);
        else if (e.edges[i]) flows[i] = times(g, e.edges[i]);
        if (flows[i] == Py_None) Py_CLEAR(flows[i]);
        if (PyErr_Occurred()) status = -1;
    }
    if (status == 1) {
        found = gone(w->s, w->s->contributions) ? NULL : PyObject_CallFunctionObjArgs(w->s->contributions, (PyObject *)n, g, Py_True, NULL);
        status = found ? 0 : -1;
    }
    if (status < 0) noted(w->s, n);
    for (Py_ssize_t i = 0; !status && i < many; i++) {
        PyObject *o = node_at(n, i), *d = !g ? NULL : found ? PyList_GetItem(found, i) : flows[i];
        if (o && give_node(w, o, d == Py_None ? NULL : d)) status = -1;
    }
    for (Py_ssize_t i = 0; i < MOST; i++) Py_XDECREF(flows[i]);
    Py_XDECREF(found);
    edges_done(&e);
    return status;
}

/* reverse_nodes(seeds, stop): as `reverse`, by rules that make nodes. */
static PyObject *core_reverse_nodes(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    State *s = PyModule_GetState(module);
    PyObject *key, *value, *out = NULL, *seeds = args[0], *inputs = NULL, *nodes = NULL, *grads = NULL, *unreached = NULL;
    Py_ssize_t at = 0;
    Stack roots = {0}, stop = {0};
    if (s->sweeping) Py_RETURN_NONE;
    Sweep w = begun(s);
    if (marked(seeds, 0, &roots) || marked(args[1], STOP, &stop)) goto no;
    for (Py_ssize_t i = 0; i < stop.n; i++) {
        if (met(&w, stop.at[i]) || put(&w.inputs, stop.at[i])) goto no;
        stop.at[i]->flags |= PAST;
    }
    if (counted(&w, (PyObject *const *)roots.at, roots.n)) goto no;
    w.ready.n = 0;
    while (PyDict_Next(seeds, &at, &key, &value)) if (give_node(&w, key, value)) goto no;
    inputs = PyDict_New(), nodes = PyList_New(0), grads = PyList_New(0), unreached = PyList_New(0);
    if (!inputs || !nodes || !grads || !unreached) goto no;
    while (w.ready.n) {
        Node *n = w.ready.at[--w.ready.n];
        PyObject *g = n->flags & HIT ? held(n) : NULL;
        n->flags &= ~(uint32_t)HIT;
        int failed = (g && (PyList_Append(nodes, (PyObject *)n) || PyList_Append(grads, g))) || pass_node(&w, n, g) || signals(&w);
        Py_XDECREF(g);
        if (failed) goto no;
    }
    for (Py_ssize_t i = 0; i < w.inputs.n; i++) {
        PyObject *o = (PyObject *)w.inputs.at[i];
        if (NODE(o)->flags & HIT ? PyDict_SetItem(inputs, o, held(NODE(o))) : PyList_Append(unreached, o)) goto no;
    }
    out = PyTuple_Pack(4, inputs, nodes, grads, unreached);
no:
    for (Py_ssize_t i = 0; i < w.seen.n; i++) {
        Node *m = w.seen.at[i];
        if (!(m->flags & HIT)) continue;
        m->flags &= ~(uint32_t)HIT;
        Py_DECREF(held(m));
    }
    finish(&w, 0);
    unmarked(0, &roots);
    unmarked(STOP, &stop);
    Py_XDECREF(inputs); Py_XDECREF(nodes); Py_XDECREF(grads); Py_XDECREF(unreached);
    return out;
}

/* -- linear forms ----------------------------------------------------------------------------------------------------- */

/* A form is as large as the graph, and lives no longer than the transform that asked for it: the collector need not look at it. */
static PyObject *hidden(PyObject *o) {
    if (o) PyObject_GC_UnTrack(o);
    return o;
}

static int enter_edge(PyObject *pairs, PyObject *o, PyObject *edge) { /* an operand, and what is multiplied by there; steals the edge */
    PyObject *pair = edge ? hidden(PyTuple_Pack(2, o, edge)) : NULL;
    int failed = !pair || PyList_Append(pairs, pair);
    Py_XDECREF(edge); Py_XDECREF(pair);
    return failed;
}

static int entered_edges(State *s, Node *n, PyObject *pairs) {
    Edges e;
    int status = edges_at(n, &e);
    if (status < 0) return -1;
    if (status) {
        PyObject *found = gone(s, s->edges) ? NULL : PyObject_CallFunctionObjArgs(s->edges, (PyObject *)n, Py_True, NULL);
        status = !found;
        for (Py_ssize_t i = 0; !status && i < operands_of(n); i++)
            if (node_at(n, i) && PyList_GetItem(found, i) != Py_None) status = enter_edge(pairs, node_at(n, i), ref(PyList_GetItem(found, i)));
        Py_XDECREF(found);
        return status;
    }
    PyObject *args = NULL;
    for (Py_ssize_t i = 0; !status && i < e.n; i++) {
        if (e.products[i] && !args && (args = hidden(PyTuple_New(e.n + 1))))
            for (Py_ssize_t j = 0; j <= e.n; j++) PyTuple_SetItem(args, j, ref(e.args[j]));
        if (e.products[i]) status = !args || gone(s, s->product) || enter_edge(pairs, e.nodes[i], hidden(PyObject_CallFunctionObjArgs(s->product, e.products[i], args, NULL)));
        else if (e.edges[i]) status = enter_edge(pairs, e.nodes[i], ref(e.edges[i]));
    }
    Py_XDECREF(args);
    edges_done(&e);
    return status;
}

/* linear_form(nodes): each with its (operand, edge) pairs, by rules that make nodes. */
static PyObject *core_linear_form(PyObject *module, PyObject *nodes) {
    State *s = PyModule_GetState(module);
    Py_ssize_t n = PyList_Size(nodes);
    PyObject *form = n < 0 ? NULL : PyList_New(0);
    for (Py_ssize_t k = 0; form && k < n; k++) {
        PyObject *o = PyList_GetItem(nodes, k), *pairs = hidden(PyList_New(0)), *pair = NULL;
        if (pairs && !entered_edges(s, NODE(o), pairs)) pair = hidden(PyTuple_Pack(2, o, pairs));
        if (!pair || PyList_Append(form, pair) || (!(k % SIGNALS) && PyErr_CheckSignals())) Py_CLEAR(form);
        Py_XDECREF(pairs); Py_XDECREF(pair);
    }
    return form;
}

static PyObject *flowing_along(State *s, PyObject *g, PyObject *edge) { /* as `adjoints.flow`; new */
    if (!is_usual(s, g)) return gone(s, s->flow) ? NULL : PyObject_CallFunctionObjArgs(s->flow, g, edge, NULL);
    if ((PyObject *)Py_TYPE(edge) != s->product) return times(g, edge);
    PyObject *rule = PyObject_GetAttrString(edge, "rule"), *args = rule ? PyObject_GetAttrString(edge, "args") : NULL, *a[MOST + 2] = {0}, *d = NULL;
    Py_ssize_t n = args ? PyTuple_Size(args) : -1;
    if (n > MOST + 1) d = gone(s, s->flow) ? NULL : PyObject_CallFunctionObjArgs(s->flow, g, edge, NULL);
    else if (n >= 0) {
        for (Py_ssize_t i = 0; i < n; i++) a[i] = PyTuple_GetItem(args, i);
        d = called_with(rule, g, a);
    }
    Py_XDECREF(rule); Py_XDECREF(args);
    return d;
}

static int by_number(const void *a, const void *b) { return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b); }

/* A linear form with the places of operands in numbers: of nodes in the form, then inputs, then other leaves. */
typedef struct {
    int total, width, *starts, *targets, *stamp, *found, *touched;
    PyObject **edges, **adjoint;
} Form;

static void form_freed(Form *f) {
    PyMem_Free(f->starts); PyMem_Free(f->targets); PyMem_Free(f->stamp); PyMem_Free(f->found); PyMem_Free(f->touched);
    PyMem_Free(f->edges); PyMem_Free(f->adjoint);
}

static int target_of(PyObject *places, PyObject *numbers, PyObject *others, const Form *f, PyObject *o) { /* -1: an error */
    PyObject *at;
    if ((at = PyDict_GetItemWithError(places, o))) return (int)PyLong_AsLong(at);
    if (!PyErr_Occurred() && (at = PyDict_GetItemWithError(numbers, o))) return f->total + (int)PyLong_AsLong(at);
    if (!PyErr_Occurred() && (at = PyDict_GetItemWithError(others, o))) return (int)PyLong_AsLong(at);
    at = PyErr_Occurred() ? NULL : PyLong_FromSsize_t(f->total + f->width + PyDict_Size(others));
    int target = at && !PyDict_SetItem(others, o, at) ? (int)PyLong_AsLong(at) : -1;
    Py_XDECREF(at);
    return target;
}

static int form_made(Form *f, PyObject *form, PyObject *places, PyObject *numbers) {
    Py_ssize_t many = 0, n = 0;
    PyObject *others = PyDict_New();
    f->total = (int)PyList_Size(form);
    f->width = (int)PyDict_Size(numbers);
    for (int i = 0; i < f->total; i++) many += PyList_Size(PyTuple_GetItem(PyList_GetItem(form, i), 1));
    Py_ssize_t all = f->total + f->width + many + 1;
    if (others && all < INT32_MAX) {
        f->starts = PyMem_Calloc(f->total + 1, sizeof(int)); f->stamp = PyMem_Calloc(f->total + 1, sizeof(int)); f->found = PyMem_Calloc(f->total + 1, sizeof(int));
        f->targets = PyMem_Calloc(many + 1, sizeof(int)); f->touched = PyMem_Calloc(all, sizeof(int));
        f->edges = PyMem_Calloc(many + 1, sizeof *f->edges); f->adjoint = PyMem_Calloc(all, sizeof *f->adjoint);
    }
    int failed = !f->starts || !f->stamp || !f->found || !f->targets || !f->touched || !f->edges || !f->adjoint;
    if (failed && !PyErr_Occurred()) PyErr_NoMemory();
    for (int i = 0; !failed && i < f->total; i++) {
        PyObject *pairs = PyTuple_GetItem(PyList_GetItem(form, i), 1);
        for (Py_ssize_t j = 0; !failed && j < PyList_Size(pairs); j++, n++) {
            PyObject *pair = PyList_GetItem(pairs, j);
            f->edges[n] = PyTuple_GetItem(pair, 1);
            failed = (f->targets[n] = target_of(places, numbers, others, f, PyTuple_GetItem(pair, 0))) < 0;
        }
        f->starts[i + 1] = (int)n;
    }
    Py_XDECREF(others);
    return failed;
}

static int summed(Form *f, int at, PyObject *d, int *touched) { /* steals d */
    PyObject *old = f->adjoint[at], *sum = old ? PyNumber_Add(old, d) : ref(d);
    Py_DECREF(d);
    if (!sum) return -1;
    if (!old) f->touched[(*touched)++] = at;
    Py_XDECREF(old);
    f->adjoint[at] = sum;
    return 0;
}

/* One row: the adjoints of the inputs that a root leads to. */
static PyObject *pulled(State *s, Form *f, int root, int stamp) {
    PyObject *row = PyDict_New(), *one = PyFloat_FromDouble(1.0);
    int found = 0, touched = 0, failed = !row || !one || summed(f, root, ref(one), &touched);
    if (!failed && root < f->total) { f->stamp[root] = stamp; f->found[found++] = root; }
    for (int k = 0; k < found; k++)
        for (int e = f->starts[f->found[k]]; e < f->starts[f->found[k] + 1]; e++) {
            int target = f->targets[e];
            if (target < f->total && f->stamp[target] != stamp) { f->stamp[target] = stamp; f->found[found++] = target; }
        }
    qsort(f->found, found, sizeof(int), by_number);
    for (int k = 0; !failed && k < found; k++) {
        PyObject *g = f->adjoint[f->found[k]];
        for (int e = f->starts[f->found[k]]; g && !failed && e < f->starts[f->found[k] + 1]; e++) {
            PyObject *d = flowing_along(s, g, f->edges[e]);
            if (d == Py_None) Py_CLEAR(d);
            else failed = !d;
            if (d) failed = summed(f, f->targets[e], d, &touched);
            failed = failed || PyErr_Occurred();
        }
    }
    for (int k = 0; k < touched; k++) {
        int at = f->touched[k];
        PyObject *number = failed || at < f->total || at >= f->total + f->width ? NULL : PyLong_FromLong(at - f->total);
        if (number) failed = PyDict_SetItem(row, number, f->adjoint[at]);
        Py_XDECREF(number);
        Py_CLEAR(f->adjoint[at]);
    }
    Py_XDECREF(one);
    if (failed || PyErr_CheckSignals()) Py_CLEAR(row);
    return row;
}

/* pulls(form, places, numbers, roots): for each root a dictionary of what flows back to the inputs, by their numbers; `places`
   are those of nodes in the form, and a root that is no node is None. */
static PyObject *core_pulls(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    State *s = PyModule_GetState(module);
    PyObject *rows = PyList_New(0);
    Form f = {0};
    int failed = !rows || form_made(&f, args[0], args[1], args[2]);
    for (Py_ssize_t k = 0; !failed && k < PyList_Size(args[3]); k++) {
        PyObject *root = PyList_GetItem(args[3], k), *at = PyDict_GetItemWithError(args[1], root), *row;
        int place = at ? (int)PyLong_AsLong(at) : -1;
        if (!at && (at = PyDict_GetItemWithError(args[2], root))) place = f.total + (int)PyLong_AsLong(at);
        row = PyErr_Occurred() ? NULL : place < 0 ? PyDict_New() : pulled(s, &f, place, (int)k + 1);
        failed = !row || PyList_Append(rows, row);
        Py_XDECREF(row);
    }
    form_freed(&f);
    if (failed) Py_CLEAR(rows);
    return rows;
}
