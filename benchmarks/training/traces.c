// One read, one multiply-add and one write of every number of an array, pass after pass: what it costs to touch traces once a step.
void touch(float *x, long numbers, long passes, float decay, float drive) {
    for (long pass = 0; pass < passes; pass++)
        for (long i = 0; i < numbers; i++)
            x[i] = decay * x[i] + drive;
}
