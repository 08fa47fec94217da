export const text = 'still more';
