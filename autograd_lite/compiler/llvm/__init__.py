"""Machine code: a program as LLVM's intermediate language, one row at a time or in vectors of rows."""
