/* The mean loss of logistic regression with its gradient, rows of COLUMNS numbers: log(1 + exp(z)) - y z.
   The vector library's exp and log1p; a gradient of rows in blocks, so that the compiler sees loops over vectors. */
#include <math.h>
#include <stddef.h>

#pragma omp declare simd notinbranch
double exp(double);
#pragma omp declare simd notinbranch
double log1p(double);

enum { COLUMNS = 10, BLOCK = 512 };

double logistic(const double *w, const double *x, const double *y, ptrdiff_t n, double *gradient)
{
    double value = 0.0, sums[COLUMNS + 1] = {0};
    for (ptrdiff_t start = 0; start < n; start += BLOCK) {
        ptrdiff_t m = n - start < BLOCK ? n - start : BLOCK;
        double z[BLOCK], slope[BLOCK];
        for (ptrdiff_t i = 0; i < m; i++) {
            double total = w[COLUMNS];
            for (int j = 0; j < COLUMNS; j++)
                total += w[j] * x[(start + i) * COLUMNS + j];
            z[i] = total;
        }
#pragma omp simd reduction(+ : value)
        for (ptrdiff_t i = 0; i < m; i++) {
            double e = exp(-fabs(z[i])), target = y[start + i];
            value += (z[i] < 0.0 ? 0.0 : z[i]) + log1p(e) - target * z[i];
            slope[i] = (z[i] < 0.0 ? e : 1.0) / (1.0 + e) - target;
        }
        for (ptrdiff_t i = 0; i < m; i++) {
            for (int j = 0; j < COLUMNS; j++)
                sums[j] += slope[i] * x[(start + i) * COLUMNS + j];
            sums[COLUMNS] += slope[i];
        }
    }
    for (int j = 0; j <= COLUMNS; j++)
        gradient[j] = sums[j] / n;
    return value / n;
}
