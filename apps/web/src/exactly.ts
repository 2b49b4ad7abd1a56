/** A date in the reader's own way of writing it. */
export const exactly = (date: string): string => new Date(date).toLocaleString();
