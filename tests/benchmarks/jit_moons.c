/* The two-moons net by hand: the mean of relu(1 - y*score) + alpha*sum(w*w) over n rows, and its 337 derivatives.

   Lanes are rows: a vector holds one number of 8 rows, a block is V vectors.  A block goes once through the net and back; each
   of its products with a layer is cut into tiles of T x V vectors, which stay in registers, so that one loaded weight serves V
   multiply-adds.  The activations of a block and the 337 vectors of sums fit into 48 kB of L1 cache together.  Weights lie
   neuron by neuron, each neuron's bias after its weights. */
#ifndef __AVX512F__
int supported(void) { return 0; }
#else
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

enum { N = 16, P = 3 * N + (N + 1) * N + N + 1, V = 4, T = 2 };
typedef __m512d vec;
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define EACH(i, n) UNROLL for (int i = 0; i < (n); i++)

typedef struct {
    double w1[N][3], w2[N][N + 1], w3[N + 1];
} Net;

typedef struct {
    vec loss, w1[N][3], w2[N][N + 1], w3[N + 1];
} Sums;

int supported(void) { return 1; }

INLINE vec muladd(vec a, vec b, vec c) { return _mm512_fmadd_pd(a, b, c); }
INLINE vec all(double x) { return _mm512_set1_pd(x); }
INLINE vec where_positive(vec h, vec a) { return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(h, _mm512_setzero_pd(), _CMP_GT_OQ), a); }

/* 8 * v rows, or fewer where v is 1: `live` says which lanes are rows */
INLINE void block(const Net *net, const double (*w2t)[N], const double *x, const double *y, int v, __mmask8 live, Sums *sum) {
    const vec zero = _mm512_setzero_pd(), one = all(1.0);
    const __m512i even = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0), odd = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);
    vec x0[V], x1[V], label[V], score[V], slope[V], h1[N][V], h2[N][V], d2[N][V];

    EACH(r, v) {
        __mmask16 pairs = _pdep_u32(live, 0x5555) * 3; /* two numbers for each row */
        vec a = _mm512_maskz_loadu_pd((__mmask8)pairs, x + 16 * r), b = _mm512_maskz_loadu_pd(pairs >> 8, x + 16 * r + 8);
        x0[r] = _mm512_permutex2var_pd(a, even, b);
        x1[r] = _mm512_permutex2var_pd(a, odd, b);
        label[r] = _mm512_maskz_loadu_pd(live, y + 8 * r);
        score[r] = all(net->w3[N]);
    }
    for (int j = 0; j < N; j++) {
        vec a = all(net->w1[j][0]), b = all(net->w1[j][1]), c = all(net->w1[j][2]);
        EACH(r, v) h1[j][r] = _mm512_max_pd(muladd(a, x0[r], muladd(b, x1[r], c)), zero);
    }
    for (int j = 0; j < N; j += T) {
        vec z[T][V];
        EACH(t, T) EACH(r, v) z[t][r] = all(net->w2[j + t][N]);
        for (int k = 0; k < N; k++)
            EACH(t, T) {
                vec w = all(net->w2[j + t][k]);
                EACH(r, v) z[t][r] = muladd(w, h1[k][r], z[t][r]);
            }
        EACH(t, T) {
            vec w = all(net->w3[j + t]);
            EACH(r, v) {
                h2[j + t][r] = _mm512_max_pd(z[t][r], zero);
                score[r] = muladd(w, h2[j + t][r], score[r]);
            }
        }
    }
    EACH(r, v) {
        vec margin = _mm512_maskz_mov_pd(live, _mm512_fnmadd_pd(label[r], score[r], one));
        sum->loss = _mm512_add_pd(sum->loss, _mm512_max_pd(margin, zero));
        slope[r] = where_positive(margin, _mm512_sub_pd(zero, label[r]));
        sum->w3[N] = _mm512_add_pd(sum->w3[N], slope[r]);
    }
    for (int j = 0; j < N; j++) {
        vec w = all(net->w3[j]), dw = sum->w3[j], db = sum->w2[j][N];
        EACH(r, v) {
            dw = muladd(slope[r], h2[j][r], dw);
            d2[j][r] = where_positive(h2[j][r], _mm512_mul_pd(slope[r], w));
            db = _mm512_add_pd(db, d2[j][r]);
        }
        sum->w3[j] = dw;
        sum->w2[j][N] = db;
    }
    for (int j = 0; j < N; j += T)
        for (int k = 0; k < N; k += T) {
            vec dw[T][T];
            EACH(t, T) EACH(u, T) dw[t][u] = sum->w2[j + t][k + u];
            EACH(r, v) EACH(t, T) EACH(u, T) dw[t][u] = muladd(d2[j + t][r], h1[k + u][r], dw[t][u]);
            EACH(t, T) EACH(u, T) sum->w2[j + t][k + u] = dw[t][u];
        }
    for (int k = 0; k < N; k += T) {
        vec d1[T][V];
        EACH(t, T) EACH(r, v) d1[t][r] = zero;
        for (int j = 0; j < N; j++)
            EACH(t, T) {
                vec w = all(w2t[k + t][j]);
                EACH(r, v) d1[t][r] = muladd(w, d2[j][r], d1[t][r]);
            }
        EACH(t, T) {
            vec da = sum->w1[k + t][0], db = sum->w1[k + t][1], dc = sum->w1[k + t][2];
            EACH(r, v) {
                vec d = where_positive(h1[k + t][r], d1[t][r]);
                da = muladd(d, x0[r], da);
                db = muladd(d, x1[r], db);
                dc = _mm512_add_pd(dc, d);
            }
            sum->w1[k + t][0] = da;
            sum->w1[k + t][1] = db;
            sum->w1[k + t][2] = dc;
        }
    }
}

double moons(const double *w, const double *x, const double *y, ptrdiff_t n, double alpha, double *gradient) {
    Net net;
    Sums sum;
    double w2t[N][N], squares = 0, scale = 1.0 / n;
    ptrdiff_t i = 0;

    memcpy(&net, w, sizeof net);
    memset(&sum, 0, sizeof sum);
    for (int j = 0; j < N; j++)
        for (int k = 0; k < N; k++) w2t[k][j] = net.w2[j][k];
    for (; i + 8 * V <= n; i += 8 * V) block(&net, w2t, x + 2 * i, y + i, V, 0xff, &sum);
    for (; i < n; i += 8) block(&net, w2t, x + 2 * i, y + i, 1, n - i < 8 ? (1 << (n - i)) - 1 : 0xff, &sum);
    for (int p = 0; p < P; p++) {
        gradient[p] = scale * _mm512_reduce_add_pd((&sum.w1[0][0])[p]) + 2 * alpha * w[p];
        squares += w[p] * w[p];
    }
    return scale * _mm512_reduce_add_pd(sum.loss) + alpha * squares;
}
#endif
