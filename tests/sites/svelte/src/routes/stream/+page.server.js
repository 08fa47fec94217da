export const load = () => ({ made: String(process.hrtime.bigint()), later: new Promise((resolve) => setTimeout(resolve, 50, 'late')) });
