"""Machine code: a program as LLVM's intermediate language (IR), compiled while Python runs.  How to find your way in here.

What comes in is a `Program`, a straight line of rows of the op table.  `scalar` makes of it machine code for one call, which
has the bits of the rows' own functions; `kernel` makes a *kernel*, machine code for all rows of some arrays.  The rest of this
page is about batches.

The words:

- A *lane* is one double of a vector, and holds one row.  A vector has 8 lanes with AVX-512, else 4.
- A *block* is as many rows as there are lanes.  Each value of the program is one vector: the program is run once for a block.
- A *chunk* is 1,024 rows or more, a number that depends on how many rows there are and on nothing else.  Threads take chunks,
  and the sums of chunks are added up in their order.  So sums have the same bits for any number of threads.
- The *uniform* program is what is the same for every row, computed once a call (`compiler.split` cuts it off); its outputs go
  into memory called `extra`.
- The *frame* is where values wait that a later function needs, as a long program is cut into functions of about 2,000 steps.
- A *plan* says how sums are made: the factors that the program of a row keeps, and the *terms*, products of two of them or one
  alone.  The gradients of a layer are products of a few factors with a few others, so that keeping these takes less memory.
- A *tile* is a group of sums that stays in registers while the factors of some blocks are gone through.

How a program becomes code, in this order:

    prepare    relu by one instruction, values made where they are needed, calls next to each other; the plan of the sums
    emit       each row written as lines of IR by `compiler.lowering`, some over rows by polynomials of `functions`
    singles    the same in single precision: twice the lanes, and factors kept as doubles, of two blocks at once
    asked      what a row asks of the machine: calls, numbers of doubles
    cutting    a long program cut into functions
    loops      what repeats itself in scalar code, written once
    schedule   list scheduling: lines that wait for each other are moved apart
    sums       the layout of the memory, and functions that add up the terms tile by tile
    calls      how these functions are called: those of a batch by the driver, which reads its *header*
    driver     what calls the functions of any batch, compiled once in a process: gather (columns to a block), chunk
               (blocks, and their sums), finish, run, some and total (chunks by several threads)
    stored     what was compiled once is loaded from disk, where the user says so
    native     LLVM compiles the text; the C library, the vector library, and rows that are called back into Python
    workers    the threads
    results    the memory that a batch's rows are kept in, used again

The life of a call: `compiler.entries` checks the arguments, writes the shared numbers into buffers and the columns' addresses
into a table, and calls `call`.  That is `run`: the uniform program, then chunk by chunk.  In a chunk the rows that fill no
block come first, their idle lanes counted as 0; then some blocks are gathered and run, which leaves their factors in memory;
then the sums go over these.  At the end the lanes are added up, halves upon halves, and `finish` divides for a mean and adds
what is the same for every row.  A batch that is not reduced has no sums: `block` stores straight into the results.

A row without a formula, gamma or a user's own, is called back: the code hands its arguments over in memory, for all lanes, and
a C function made by ctypes calls Python.  What it raises is kept for the thread and raised when the code has returned.  No
memory is freed while a thread works on it, whatever interrupts the caller: see `workers`.
"""
