let entries = 0;

export const load = () => ({ entries });

export const actions = {
  sign: async () => {
    entries++;
  },
};
